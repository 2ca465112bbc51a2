"""A worker as a program: python run_worker.py URL OPTIONS-AS-JSON; status 3: the store is away."""

import json
import logging
import os
import sys

from lightwork.errors import StoreUnavailable
from lightwork.work.service import Worker

# Children know whom they would kill.
os.environ["CHAOS_WORKER"] = str(os.getpid())
logging.basicConfig(level=logging.INFO, format="%(message)s")
try:
    Worker(sys.argv[1], modules=["chaos.tasks"], **json.loads(sys.argv[2])).run()
except StoreUnavailable as unavailable:
    print(unavailable, file=sys.stderr)
    sys.exit(3)
