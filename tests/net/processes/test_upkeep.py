"""`lightwork serve` keeps its store in order: of workers that are killed, and when it is killed itself."""

import signal
from pathlib import Path

import pytest

from cli.runs import SCRIPT, run, start
from lightwork.model import State
from lightwork.net.opening import open_store
from net.processes.serving import port_of, serving
from waiting import wait_until

pytestmark = pytest.mark.process


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "script.py").write_text(SCRIPT)
    return tmp_path


def test_a_job_of_a_killed_worker_is_rescued_though_there_is_no_other(folder: Path) -> None:
    with (
        serving(folder) as (url, _),
        start("worker", url, "-m", "script", "-j", "1", "--lease", "1s", folder=folder) as worker,
        open_store(f"sqlite:///{folder}/work.db") as store,  # type: ignore[attr-defined]
    ):
        run("submit", url, "script:hold", str(folder), folder=folder)
        wait_until((folder / "begun").exists, "it runs")
        worker.send_signal(signal.SIGKILL)
        worker.wait()

        wait_until(lambda: store.summary().states[State.RUNNING] == 0, "it is rescued")
        (folder / "end").touch()


def test_a_server_that_is_killed_and_started_again_goes_on_with_its_upkeep(folder: Path) -> None:
    with open_store(f"sqlite:///{folder}/work.db") as store:  # type: ignore[attr-defined]
        with serving(folder) as (url, server):
            run("submit", url, "script:square", "4", "--delay", "2s", folder=folder)
            server.kill()
            server.wait()
        before = store.summary().states
        with serving(folder, port=port_of(url)):
            wait_until(lambda: store.summary().states[State.READY] == 1, "it is promoted")

    assert before[State.SCHEDULED] == 1
