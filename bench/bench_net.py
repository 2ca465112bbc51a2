"""A store behind `lightwork serve`: beside the same store used directly, and beside BaseManager's queues.

    python bench/bench_net.py [--jobs 20000] [--rounds 3] [--only ROW] [--sides "http SQLite,direct SQLite"]
                              [--quick] [--json] [--plot FILE.svg]

Every side has two workers; each turn is a process of its own with a new database and a new server, and all
take turns. Whoever has no PostgreSQL sees those rows left out. See remote/ for how it is done.
"""

import sys

from remote.run import main

if __name__ == "__main__":
    sys.exit(main())
