"""Life: what the file of a worker tells about it, to any process under the same kernel."""

import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path

import pytest

from lightwork.store.sqlite.worker_file import Life, Sign, life_of, lives_in
from lightwork.store.sqlite.worker_signs import WorkerSigns
from lightwork.store.sqlstore import open_store
from store.steps import registered
from waiting import wait_until

WORKER = uuid.uuid4()
OTHER = """
import sys, uuid
from pathlib import Path
from lightwork.store.sqlite.worker_file import Sign
sign = Sign(Path(sys.argv[1]), uuid.UUID(sys.argv[2]), 600.0)
print("at work", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "work.db-workers"


@pytest.fixture
def other(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A worker in another process."""
    command = [sys.executable, "-c", OTHER, str(folder), str(WORKER)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        yield process
        process.kill()


def test_a_worker_of_another_process_lives(folder: Path, other: subprocess.Popen[str]) -> None:
    assert other.poll() is None
    assert life_of(folder, WORKER) is Life.ALIVE


def test_a_killed_worker_is_dead_at_once(folder: Path, other: subprocess.Popen[str]) -> None:
    other.kill()
    other.wait()

    assert life_of(folder, WORKER) is Life.DEAD


def test_a_stopped_worker_is_not_dead(folder: Path, other: subprocess.Popen[str]) -> None:
    other.send_signal(signal.SIGSTOP)

    assert life_of(folder, WORKER) is Life.ALIVE


def test_a_worker_of_this_process_lives_until_it_leaves(folder: Path) -> None:
    sign = Sign(folder, WORKER, 600.0)
    before = life_of(folder, WORKER)

    sign.end(is_left=True)

    assert (before, life_of(folder, WORKER)) == (Life.ALIVE, Life.DEAD)


def test_a_worker_that_does_not_renew_is_late_and_may_renew(folder: Path) -> None:
    sign = Sign(folder, WORKER, 0.0)
    late = life_of(folder, WORKER)

    sign.renew(600.0)

    assert (late, life_of(folder, WORKER)) == (Life.LATE, Life.ALIVE)
    sign.end(is_left=False)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("text", ["", "1 2 clock", "one one clock", "1"])
def test_what_is_read_in_the_middle_of_a_renewal_declares_nobody_dead(
    folder: Path, text: str
) -> None:
    sign = Sign(folder, WORKER, 0.0)
    (folder / WORKER.hex).write_text(text)

    assert life_of(folder, WORKER) is Life.ALIVE
    sign.end(is_left=False)


def test_another_clock_is_not_compared(folder: Path) -> None:
    sign = Sign(folder, WORKER, 600.0)
    (folder / WORKER.hex).write_text("1 1 time:[1]\n")

    assert life_of(folder, WORKER) is Life.UNKNOWN
    sign.end(is_left=False)


def test_of_a_worker_without_a_file_nothing_is_known(folder: Path) -> None:
    assert life_of(folder, WORKER) is Life.UNKNOWN


def test_a_fork_neither_keeps_nor_ends_the_life_of_its_parent(folder: Path) -> None:
    sign = Sign(folder, WORKER, 600.0)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)

    try:
        assert life_of(folder, WORKER) is Life.ALIVE
        sign.end(is_left=True)

        # The child lets go as soon as it runs, and lives on.
        wait_until(lambda: life_of(folder, WORKER) is Life.DEAD, "the death of the parent's worker")
    finally:
        os.close(writing)
        os.close(reading)
        os.waitpid(child, 0)


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_is_no_file_of_a_worker_tells_nothing_and_holds_up_nobody(
    folder: Path, kind: str
) -> None:
    folder.mkdir()
    if kind == "pipe":
        os.mkfifo(folder / WORKER.hex)
    else:
        (folder / "victim").touch()
        (folder / WORKER.hex).symlink_to("victim")

    assert life_of(folder, WORKER) is Life.UNKNOWN
    assert Life.DEAD not in lives_in(folder).values()


def test_the_file_of_a_worker_is_never_written_through_a_link(folder: Path) -> None:
    folder.mkdir()
    victim = folder / "victim"
    victim.touch()
    (folder / WORKER.hex).with_suffix(".new").symlink_to(victim)

    with pytest.raises(FileExistsError):
        Sign(folder, WORKER, 600.0)

    assert victim.read_text() == ""


@pytest.mark.parametrize("is_renewing", [True, False])
def test_a_worker_that_ends_while_its_lease_is_renewed_has_none(
    folder: Path, *, is_renewing: bool
) -> None:
    living = WorkerSigns(folder)
    living.begin(WORKER, 600.0)
    row: Future[bool] = Future()

    def renew_row() -> Future[bool]:
        # The row cannot be written; meanwhile another thread ends the worker.
        threading.Thread(target=living.end, args=[WORKER]).start()
        return row

    if not is_renewing:
        living.end(WORKER)

    assert living.renew(WORKER, 600.0, renew_row) is False


def test_who_looks_for_the_dead_judges_nobody_whose_lease_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five hundred of other machines were judged seven times a second, one by one."""
    with closing(open_store(f"sqlite:///{tmp_path}/work.db")) as store:
        registered(store)
        monkeypatch.setattr(WorkerSigns, "is_live", lambda *_: pytest.fail("it was judged"))

        assert store.rescue() == []
