"""Finalizers of both pools: called once where a child or thread ends normally."""

import gc
import logging
import multiprocessing
import os
import signal
from pathlib import Path

import calls
import feature_calls
import pytest

from lightwork.errors import PoolError, WorkerLost
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor
from waiting import wait_until

pytestmark = pytest.mark.process

WAIT = 30
Pool = type[ProcessExecutor] | type[ThreadExecutor]
BOTH = pytest.mark.parametrize("kind", [ProcessExecutor, ThreadExecutor])


@BOTH
def test_a_finalizer_runs_once_where_calls_ran(kind: Pool, tmp_path: Path) -> None:
    ended = tmp_path / "ended"

    with kind(1, finalizer=feature_calls.write, finalargs=(str(ended),)) as pool:
        ran = {pool.submit(feature_calls.here).result(WAIT) for _ in range(3)}

    assert feature_calls.read(ended) == sorted(ran)


@BOTH
def test_every_child_or_thread_is_finalized(kind: Pool, tmp_path: Path) -> None:
    begun, ended = tmp_path / "begun", tmp_path / "ended"

    with kind(
        3,
        initializer=feature_calls.write,
        initargs=(str(begun),),
        finalizer=feature_calls.write,
        finalargs=(str(ended),),
    ) as pool:
        for _ in range(6):
            pool.submit(calls.sleep, 0.01)

    assert sorted(feature_calls.read(ended)) == sorted(feature_calls.read(begun))


@BOTH
def test_nothing_is_finalized_where_the_initializer_failed(kind: Pool, tmp_path: Path) -> None:
    ended = tmp_path / "ended"

    with kind(
        1,
        initializer=calls.set_up_badly,
        finalizer=feature_calls.write,
        finalargs=(str(ended),),
    ) as pool:
        error = pool.submit(calls.pid).exception(WAIT)

    assert isinstance(error, PoolError)
    assert feature_calls.read(ended) == []


@BOTH
def test_a_finalizer_must_be_callable(kind: Pool) -> None:
    with pytest.raises(TypeError, match="finalizer must be a callable"):
        kind(1, finalizer=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("finalizer", [feature_calls.fail_to_end, feature_calls.exit_at_end])
def test_what_a_finalizer_of_a_thread_raises_is_logged(
    finalizer: object, caplog: pytest.LogCaptureFixture
) -> None:
    with ThreadExecutor(1, finalizer=finalizer) as pool:  # type: ignore[arg-type]
        pool.submit(calls.pid).result(WAIT)

    logged = [(record.levelno, record.name, bool(record.exc_info)) for record in caplog.records]
    assert logged == [(logging.ERROR, "lightwork.pool.call.thread_exit", True)]


def test_what_a_finalizer_of_a_child_raises_is_logged_there() -> None:
    # A program of its own: the fork server of this one has its standard error elsewhere.
    done = feature_calls.run_program("""
        import calls, feature_calls
        from lightwork.pool.process.executor import ProcessExecutor
        with ProcessExecutor(1, finalizer=feature_calls.fail_to_end) as pool:
            print(pool.submit(calls.double, 4).result(30))
    """)

    assert done.stdout == "8\n"
    assert "LookupError: the finalizer's own fault" in done.stderr
    assert done.returncode == 0


def test_a_child_that_is_replaced_is_finalized(tmp_path: Path) -> None:
    ended = tmp_path / "ended"

    with ProcessExecutor(
        1, max_tasks_per_child=2, finalizer=feature_calls.write, finalargs=(str(ended),)
    ) as pool:
        ran = {pool.submit(feature_calls.here).result(WAIT) for _ in range(4)}
        wait_until(lambda: len(feature_calls.read(ended)) == 2, "both children have ended")

    assert sorted(feature_calls.read(ended)) == sorted(ran)


def test_a_child_that_is_killed_is_not_finalized(tmp_path: Path) -> None:
    ended = tmp_path / "ended"

    with ProcessExecutor(1, finalizer=feature_calls.write, finalargs=(str(ended),)) as pool:
        lost = pool.submit(calls.kill_myself, signal.SIGKILL).exception(WAIT)

    assert isinstance(lost, WorkerLost)
    assert feature_calls.read(ended) == []


def test_an_answer_does_not_wait_for_a_slow_finalizer(tmp_path: Path) -> None:
    go_on = tmp_path / "go on"

    with ProcessExecutor(
        1, max_tasks_per_child=1, finalizer=calls.wait_for, finalargs=(str(go_on),)
    ) as pool:
        found = pool.submit(calls.double, 4).result(WAIT)
        go_on.touch()

    assert found == 8


def test_a_new_child_does_not_wait_for_the_finalizer_of_the_old(tmp_path: Path) -> None:
    go_on = tmp_path / "go on"

    with ProcessExecutor(
        1, max_tasks_per_child=1, finalizer=calls.wait_for, finalargs=(str(go_on),)
    ) as pool:
        found = [pool.submit(calls.double, n).result(WAIT) for n in range(3)]
        go_on.touch()

    assert found == [0, 2, 4]


def test_an_executor_that_nobody_holds_is_finalized(tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    pool = ProcessExecutor(1, finalizer=feature_calls.write, finalargs=(str(ended),))
    pool.submit(calls.pid).result(WAIT)

    del pool
    gc.collect()

    wait_until(lambda: feature_calls.read(ended), "the finalizer has run")


def test_initializer_and_finalizer_share_their_arguments(tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    shared: list[str] = []

    with ProcessExecutor(
        1,
        initializer=feature_calls.begin_sharing,
        initargs=(shared,),
        finalizer=feature_calls.share,
        finalargs=(str(ended), shared),
    ) as pool:
        pool.submit(calls.pid).result(WAIT)

    assert feature_calls.read(ended) == ["begin-end"]


def test_a_lambda_can_be_a_finalizer(tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    path = str(ended)

    with ProcessExecutor(1, finalizer=lambda: feature_calls.write(path)) as pool:
        ran = pool.submit(feature_calls.here).result(WAIT)

    assert feature_calls.read(ended) == [ran]
    assert not ran.startswith(f"{os.getpid()}-")


def test_a_local_initializer_may_have_captured_a_pipe() -> None:
    ours, theirs = multiprocessing.get_context("spawn").Pipe()

    def tell() -> None:
        theirs.send("begun")

    with ProcessExecutor(1, initializer=tell) as pool:
        pool.submit(abs, -1).result(WAIT)
        has_come = ours.poll(WAIT)

    assert has_come
    assert ours.recv() == "begun"
