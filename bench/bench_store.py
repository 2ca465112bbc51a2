"""Durable jobs: lightwork on three databases beside its peers, in one run.

    python bench/bench_store.py [--jobs 20000] [--rounds 3] [--only ROW] [--peers "lw SQLite,Huey"]
                                [--quick] [--json] [--plot FILE.svg]

Every side has two workers and its usual setting, told above the table; each turn is a process of its
own with a new database, and all take turns. `make bench-store` installs the peers first; who is not
installed, or has no server, is named and left out. See durable/ for how it is done.
"""

import sys

from durable.run import main

if __name__ == "__main__":
    sys.exit(main())
