"""Locks and queues between processes: lightwork's beside multiprocessing's own and faster-fifo, in one run.

    python bench/bench_sync.py [--rounds 5] [--only ROW] [--quick] [--json]

All sides take turns. `make bench-sync` installs faster-fifo first; without it the others take part.
See primitives/ for how it is done.
"""

import sys

from primitives.run import main

if __name__ == "__main__":
    sys.exit(main())
