"""Tasks of the tests beside this; children import it, so it imports little."""

import os
import time
from pathlib import Path

from lightwork.tasks import task


@task(max_crashes=1000)
def take(milliseconds: int) -> int:
    time.sleep(milliseconds / 1000)
    return milliseconds


@task
def wait_for(path: str) -> str:
    """Say which process runs this, then run until the file is there."""
    with Path(f"{path}.pids").open("a") as pids:
        pids.write(f"{os.getpid()}\n")
    while not Path(path).exists():
        time.sleep(0.005)
    return "let go"
