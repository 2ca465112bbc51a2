"""`lightwork worker` and signals: whatever comes, it ends cleanly and hands back what it held."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.jobs_made import Made
from cli.runs import clean_environment, start
from lightwork.model import State
from lightwork.store.contract import Store
from waiting import wait_until

pytestmark = pytest.mark.process

WORKER = ("worker", "-m", "script", "-j", "1")
# Makes its input the terminal that the session hangs on, as a login does.
ON_A_TERMINAL = (
    "import fcntl, runpy, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "sys.argv[0] = 'lightwork'; runpy.run_module('lightwork', run_name='__main__')"
)
UNDER_NOHUP = (
    "import runpy, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); "
    "sys.argv[0] = 'lightwork'; runpy.run_module('lightwork', run_name='__main__')"
)


@contextmanager
def launched(
    launcher: str, *words: str, folder: Path, stdin: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", launcher, *words],
        cwd=folder,
        env=clean_environment(),
        stdin=stdin,
        stdout=stdin,
        stderr=stdin,
        start_new_session=True,
    ) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_storm_of_signals_ends_it_cleanly(
    folder: Path, store: Store, made: Made, number: signal.Signals
) -> None:
    job_id = made.ready(str(folder), task="script:hold")

    with start(*WORKER, "--grace", "1h", folder=folder) as worker:
        wait_until((folder / "begun").exists, "the job runs")
        # To its very end, when the interpreter has taken its own functions away.
        while worker.poll() is None:
            worker.send_signal(number)
        errors = worker.communicate(timeout=60)[1]

    assert worker.returncode == 0
    # What CPython itself says of a signal that comes while its function is taken away.
    assert "Traceback" not in errors or "ignored due to race condition" in errors
    assert store.states([job_id]) == {job_id: State.READY}


def test_a_worker_whose_terminal_is_closed_hands_its_jobs_back(
    folder: Path, store: Store, made: Made
) -> None:
    job_id = made.ready(str(folder), task="script:hold")
    ours, theirs = pty.openpty()

    with launched(ON_A_TERMINAL, *WORKER, "--grace", "0", folder=folder, stdin=theirs) as worker:
        os.close(theirs)
        wait_until((folder / "begun").exists, "the job runs")
        os.close(ours)
        worker.wait(timeout=60)

    assert worker.returncode == 0
    assert store.states([job_id]) == {job_id: State.READY}


def test_under_nohup_it_works_on_when_the_terminal_is_closed(
    folder: Path, store: Store, made: Made
) -> None:
    held = made.ready(str(folder), task="script:hold")

    with launched(UNDER_NOHUP, *WORKER, folder=folder) as worker:
        wait_until((folder / "begun").exists, "the job runs")
        worker.send_signal(signal.SIGHUP)
        (folder / "end").touch()
        later = made.ready(3)
        done = {held: State.SUCCEEDED, later: State.SUCCEEDED}
        wait_until(lambda: store.states([held, later]) == done, "both jobs are done")
        worker.send_signal(signal.SIGTERM)
        worker.wait(timeout=60)

    assert worker.returncode == 0
