"""Locks and queues between processes: lightwork's beside multiprocessing's own, faster-fifo and Dask's, in one run.

    python bench/bench_sync.py [--rounds 5] [--only ROW] [--quick] [--json]

All sides take turns. `make bench-sync` installs faster-fifo and Dask first; without them the others take part. Dask, which
asks a scheduler over TCP, does a hundredth of the work.
See primitives/ for how it is done.
"""

import sys

from primitives.run import main

if __name__ == "__main__":
    sys.exit(main())
