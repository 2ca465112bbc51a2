"""executor(): from a word or a URL to an executor; and how a durable one begins and ends."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from concurrent import futures
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from face.jobs import sleep, square, wait_for
from lightwork.durable.executor import DurableExecutor
from lightwork.durable.future import DurableFuture
from lightwork.errors import PoolError, StoreError, UsageError
from lightwork.executors import executor
from lightwork.model import State
from lightwork.pool.executor.executor import Executor
from lightwork.pool.executor.inline import InlineExecutor
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor
from lightwork.store.sqlstore import open_store
from waiting import wait_until

pytestmark = pytest.mark.process


@pytest.mark.parametrize(
    ("where", "kind"),
    [
        ("threads:1", ThreadExecutor),
        ("threads", ThreadExecutor),
        ("processes:1", ProcessExecutor),
        ("processes", ProcessExecutor),
        ("inline", InlineExecutor),
    ],
)
def test_a_word_names_a_pool(where: str, kind: type[Executor]) -> None:
    with executor(where) as opened:
        assert type(opened) is kind


def test_a_url_names_a_store(url: str) -> None:
    with executor(url) as opened:
        assert isinstance(opened, DurableExecutor)


def test_every_executor_is_one_of_the_standard_library(url: str) -> None:
    with executor(url) as opened:
        assert isinstance(opened, futures.Executor)


def test_the_same_program_runs_at_every_reach(url: str) -> None:
    for where, options in (("threads:1", {}), ("inline", {}), (url, {"workers": 1})):
        with executor(where, **options) as opened:
            assert opened.submit(square, 4).result(20) == 16


def test_without_a_word_there_are_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIGHTWORK_URL", raising=False)

    with executor() as opened:
        assert type(opened) is ProcessExecutor


def test_the_environment_names_the_default(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("LIGHTWORK_URL", url)

    with executor() as opened:
        assert isinstance(opened, DurableExecutor)
        assert opened.store.url == url


def test_a_word_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("LIGHTWORK_URL", url)

    with executor("inline") as opened:
        assert type(opened) is InlineExecutor


@pytest.mark.parametrize(
    "where",
    [
        "gpus:4",
        "threads:0",
        "threads:-1",
        "threads:two",
        "inline:2",
        "work.db",
        "ftp://host:5000",
        "nonsense://host/db",
        "sqlite://",
        "sqlite:///:memory:",
        7,
    ],
)
def test_a_place_that_means_nothing_is_refused(where: Any) -> None:
    with pytest.raises(UsageError):
        executor(where)


@pytest.mark.parametrize("workers", [-1, 1.5, True, "gpus:2", "threads:0", None])
def test_workers_that_make_no_sense_are_refused_and_no_file_is_made(
    url: str, tmp_path: Path, workers: Any
) -> None:
    with pytest.raises(UsageError):
        executor(url, workers=workers)

    assert not (tmp_path / "work.db").exists()


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unknown_option_is_refused_by_name(url: str, workers: int) -> None:
    with pytest.raises(TypeError, match="'wokers'"):
        executor(url, workers=workers, wokers=2)


def test_an_option_of_a_worker_needs_a_worker(url: str) -> None:
    with pytest.raises(UsageError, match="workers=0"):
        executor(url, lease=2.0)


@pytest.mark.parametrize("options", [{"lease": 0}, {"grace": -1}, {"queues": []}])
def test_an_option_that_makes_no_sense_is_refused(url: str, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        executor(url, workers=1, **options)


def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        executor(f"sqlite:///{tmp_path}/absent/work.db")


# The end


def test_leaving_the_block_waits_for_the_jobs_of_its_workers(url: str) -> None:
    with DurableExecutor(url, workers=1) as opened:
        jobs = [opened.submit(square, number) for number in range(20)]

    assert all(job.done() for job in jobs)


def test_leaving_the_block_without_workers_does_not_wait(url: str) -> None:
    with DurableExecutor(url) as opened:
        future = opened.submit(square, 1)

    assert not future.done()
    with closing(open_store(url)) as store:
        assert store.summary().states[State.READY] == 1


def test_leaving_the_block_does_not_wait_for_queues_served_elsewhere(url: str) -> None:
    with DurableExecutor(url, workers=1) as opened:
        future = opened.submit(square.options(queue="elsewhere"), 1)

    assert not future.done()


def test_an_error_in_the_block_leaves_promptly_and_hands_the_jobs_back(
    url: str, tmp_path: Path
) -> None:
    opened = DurableExecutor(url, workers=1)
    running = opened.submit(wait_for, str(tmp_path / "gate"))
    waiting = opened.submit(sleep, 60)
    wait_until((tmp_path / "gate.entered").exists, "the job to run")
    started = time.monotonic()

    with pytest.raises(ZeroDivisionError), opened:
        raise ZeroDivisionError

    assert time.monotonic() - started < 5
    with closing(open_store(url)) as store:
        for future in (running, waiting):
            assert isinstance(future, DurableFuture)
            view = store.job(future.job_id)
            assert view is not None
            assert (view.state, view.failures, view.crashes) == (State.READY, 0, 0)
        assert store.workers() == []


def test_nothing_is_taken_after_shutdown(url: str) -> None:
    opened = DurableExecutor(url)
    opened.shutdown()

    with pytest.raises(RuntimeError, match="after shutdown"):
        opened.submit(square, 1)


def test_who_waits_without_end_at_a_shut_down_executor_is_told(url: str) -> None:
    opened = DurableExecutor(url)
    future = opened.submit(square, 3)
    later: list[BaseException] = []

    def wait() -> None:
        try:
            future.result()
        except BaseException as error:
            later.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    opened.shutdown()
    assert isinstance(future, DurableFuture)

    with pytest.raises(StoreError, match="when its executor was shut down"):
        future.result()
    with pytest.raises(TimeoutError):
        future.result(0.01)
    waiting.join(30)
    assert "when its executor was shut down" in str(later[0])
    with DurableExecutor(url, workers=1) as again:
        assert again.future(future.job_id).result(60) == 9


def test_shutdown_may_be_called_twice(url: str) -> None:
    opened = DurableExecutor(url, workers=1)

    opened.shutdown()
    opened.shutdown()


def test_shutdown_can_cancel_what_has_not_begun(url: str, tmp_path: Path) -> None:
    opened = DurableExecutor(url, workers=1)
    running = opened.submit(wait_for, str(tmp_path / "gate"))
    waiting = [opened.submit(square, number) for number in range(3)]
    wait_until((tmp_path / "gate.entered").exists, "the job to run")

    threading.Timer(0.1, (tmp_path / "gate").touch).start()
    opened.shutdown(cancel_futures=True)

    assert running.result(0) == "let go"
    assert all(future.cancelled() for future in waiting)


def test_an_executor_whose_worker_failed_says_so_and_can_be_left(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightwork.store.sqlstore.SqlStore.register", _refuse)

    with DurableExecutor(url, workers=1) as opened:
        wait_until(lambda: opened._worker._failure, "the end of the worker")
        with pytest.raises(PoolError, match="no table worker"):
            opened.submit(square, 1)


def _refuse(*_: object, **__: object) -> None:
    raise StoreError("no table worker")


def test_those_who_wait_hear_of_the_end_of_the_worker(url: str) -> None:
    opened = DurableExecutor(url, workers=1)
    future = opened.submit(sleep, 60)

    opened._worker._note_failed(StoreError("gone"))

    with pytest.raises(StoreError, match="gone"):
        future.result(20)
    opened.shutdown()


def run_script(folder: Path, script: str) -> "subprocess.CompletedProcess[str]":
    (folder / "script.py").write_text(textwrap.dedent(script))
    return subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("workers", ["1", "'threads:2'"])
def test_a_program_that_forgets_shutdown_still_runs_its_jobs_and_ends(
    tmp_path: Path, workers: str
) -> None:
    done = run_script(
        tmp_path,
        f"""
        import lightwork as lw

        @lw.task
        def double(n: int) -> int:
            return 2 * n

        if __name__ == "__main__":
            executor = lw.executor("sqlite:///work.db", workers={workers})
            executor.submit(double, 4).add_done_callback(lambda done: print(done.result()))
        """,
    )

    assert (done.stdout, done.stderr, done.returncode) == ("8\n", "", 0)


def test_the_fork_servers_main_module_guard_is_not_needed(tmp_path: Path) -> None:
    done = run_script(
        tmp_path,
        """
        import lightwork as lw

        @lw.task
        def double(n: int) -> int:
            return 2 * n

        with lw.executor("sqlite:///work.db", workers=1) as executor:
            print(executor.submit(double, 4).result())
        """,
    )

    assert (done.stdout, done.stderr, done.returncode) == ("8\n", "", 0)


def test_workers_of_a_pool_are_told_as_max_workers() -> None:
    with pytest.raises(TypeError, match=r"'workers'.*; say max_workers=3"):
        executor("processes", workers=3)


def test_a_slip_in_an_option_of_a_store_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"did you mean 'workers'\?") as refusal:
        executor(f"sqlite:///{tmp_path}/work.db", worker=3)

    assert str(refusal.value).count("authkey") == 1
