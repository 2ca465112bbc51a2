"""Tasks of the tests beside this; children import it, so it imports little."""

import os
import signal
import time
from pathlib import Path

from chaos.history import History
from lightwork.pool.call.current import current
from lightwork.tasks.task import task


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


@task
def take_down(_number: int) -> None:
    """Kill the worker that runs this, at once and with all that it holds."""
    os.kill(int(os.environ["CHAOS_WORKER"]), signal.SIGKILL)
    time.sleep(60)


@task(idempotent=False)
def once(path: str, number: int) -> int:
    """Note each run of this in a file."""
    with Path(path).open("a") as runs:
        runs.write(f"{number}\n")
    return number


@task(max_crashes=1_000_000)
def note_and_return(path: str, number: int) -> int:
    """Note each run of this, by whichever attempt, then take a moment."""
    here = current()
    history = History(path)
    history.note(here.job_id, here.attempt, os.getpid())
    history.close()
    # Some are long enough to be known to have begun.
    time.sleep(0.2 if number % 2 else number % 4 / 1000)
    return number


@task
def hold(path: str) -> str:
    """Say who runs it, and wait for the file."""
    with Path(f"{path}.pids").open("a") as pids:
        pids.write(f"{os.getpid()}\n")
    while not Path(path).exists():
        time.sleep(0.005)
    return "let go"


@task
def give_back(number: int) -> int:
    """Take no time at all."""
    return number
