"""Local calls: lightwork's processes beside those of its peers, in one run.

    python bench/bench_local.py [--rounds 5] [--only ROW] [--peers Pool,loky] [--quick]
                                [--json] [--plot FILE.svg]

Every side has the same number of children, its best setting and a process of its own, and all
take turns. The last two tables are what counts: how many times better lightwork is than each of
them, and whether the goals of the design are reached. `make bench-local` installs the peers
first; without them the standard library's pools take part. See local/ for how it is done.
"""

import sys

from local.run import main

if __name__ == "__main__":
    sys.exit(main())
