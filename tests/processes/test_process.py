"""Process under the standard name: what it is, how it is made, how it ends."""

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import wait
from typing import Any

import pytest

import lightwork as lw
from lightwork import multiprocessing as mp
from processes import targets

pytestmark = pytest.mark.process

WAIT = 30
OF_THIS_MACHINE = ["processes", "spawn", "threads"]


def started(target: Any, *args: Any, where: str = "processes", **options: Any) -> Any:
    """Return a process that was started."""
    context: Any = mp.get_context(where)
    child = context.Process(target=target, args=args, **options)
    child.start()
    return child


def test_a_child_knows_its_name_and_its_parent() -> None:
    ours, theirs = mp.Pipe()
    child = started(targets.tell_who, theirs, name="first")

    said = ours.recv()
    child.join(WAIT)

    assert said == ("first", child.pid, "MainProcess")


@pytest.mark.parametrize("where", OF_THIS_MACHINE)
def test_a_child_gets_its_arguments(where: str) -> None:
    ours, theirs = mp.get_context(where).Pipe()
    context: Any = mp.get_context(where)
    child = context.Process(
        target=targets.tell_sum, args=(theirs, 40), kwargs={"second": 2}, daemon=True
    )
    child.start()

    child.join(WAIT)

    assert ours.recv() == 42
    assert (child.exitcode, child.is_alive(), child.daemon) == (0, False, True)


@pytest.mark.parametrize("where", OF_THIS_MACHINE)
@pytest.mark.parametrize(("code", "status"), [(None, 0), (3, 3), ("a word", 1)])
def test_sys_exit_says_the_exit_code(where: str, code: object, status: int) -> None:
    child = started(targets.leave, code, where=where)

    child.join(WAIT)

    assert child.exitcode == status


@pytest.mark.parametrize("where", OF_THIS_MACHINE)
def test_an_error_is_exit_code_one(where: str) -> None:
    child = started(targets.fail, where=where)

    child.join(WAIT)

    assert child.exitcode == 1


@pytest.mark.parametrize("where", OF_THIS_MACHINE)
def test_a_sentinel_is_ready_when_its_process_has_ended(where: str) -> None:
    child = started(targets.fail, where=where)

    ready = wait([child.sentinel], timeout=WAIT)
    child.join()

    assert ready == [child.sentinel]


@pytest.mark.parametrize("where", OF_THIS_MACHINE)
def test_a_process_that_was_not_started_has_no_sentinel(where: str) -> None:
    context: Any = mp.get_context(where)
    child = context.Process(target=targets.fail)

    with pytest.raises(ValueError, match="not started"):
        _ = child.sentinel

    assert (child.pid, child.exitcode, child.is_alive()) == (None, None, False)


@pytest.mark.parametrize("where", OF_THIS_MACHINE)
def test_a_closed_process_is_not_used_any_more(where: str) -> None:
    child = started(targets.leave, 0, where=where)
    child.join(WAIT)
    child.close()

    with pytest.raises(ValueError, match="closed"):
        child.is_alive()


@pytest.mark.parametrize("where", OF_THIS_MACHINE)
def test_a_child_is_active_until_it_has_ended(where: str) -> None:
    context: Any = mp.get_context(where)
    ours, theirs = context.Pipe()
    child = context.Process(target=ours.recv)
    child.start()
    before = context.active_children()

    theirs.send(None)
    child.join(WAIT)

    assert child in before
    assert child not in context.active_children()


@pytest.mark.parametrize(
    ("end", "exitcode"),
    [("terminate", -signal.SIGTERM), ("kill", -signal.SIGKILL), ("interrupt", 7)],
)
def test_a_child_is_ended_from_outside(end: str, exitcode: int) -> None:
    ours, theirs = mp.Pipe()
    child = started(targets.wait_for_interrupt, theirs)
    ours.recv()

    getattr(child, end)()
    child.join(WAIT)

    assert child.exitcode == exitcode


@pytest.mark.parametrize("end", ["terminate", "kill", "interrupt"])
def test_a_thread_says_that_it_cannot_be_ended(end: str) -> None:
    context: Any = mp.get_context("threads")
    child = context.Process(target=targets.fail)

    with pytest.raises(lw.UsageError, match="thread"):
        getattr(child, end)()


def test_run_of_a_subclass_is_what_runs() -> None:
    ours, theirs = mp.Pipe()
    child = targets.Adder(theirs)
    child.start()

    said = ours.recv()
    child.join(WAIT)

    assert (said, child.name) == (42, "adder")


def test_a_lambda_travels_with_the_pipe_that_it_has_captured() -> None:
    ours, theirs = mp.Pipe()
    child = started(lambda: theirs.send(os.getpid()))

    said = ours.recv()
    child.join(WAIT)

    assert said == child.pid


def test_a_fork_of_a_program_with_threads_is_refused() -> None:
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    thread.start()
    try:
        with pytest.raises(RuntimeError, match="other thread"):
            started(targets.fail, where="fork")
    finally:
        release.set()
        thread.join()


def test_a_start_method_is_said_once_and_children_use_it() -> None:
    ours, theirs = mp.Pipe()
    mp.set_start_method("spawn")
    try:
        with pytest.raises(RuntimeError, match="already been set"):
            mp.set_start_method("forkserver")
        child = started(targets.start_methods_below, theirs)

        said = ours.recv()
        child.join(WAIT)
    finally:
        mp.set_start_method(None, force=True)

    assert said == "spawn"
    assert mp.get_start_method(allow_none=True) is None
    assert mp.get_start_method() == "forkserver"


def test_the_start_method_of_a_context_is_its_own() -> None:
    context: Any = mp.get_context("spawn")

    with pytest.raises(ValueError, match="concrete context"):
        context.set_start_method("fork")

    assert context.get_start_method() == "spawn"
    assert context.get_all_start_methods() == ["forkserver", "spawn", "fork"]


def test_processes_of_ours_and_of_the_standard_library_know_each_other() -> None:
    ours, theirs = mp.Pipe()
    child = started(targets.say_and_sleep, theirs)
    ours.recv()

    assert child in multiprocessing.active_children()

    child.kill()
    child.join(WAIT)


def test_an_unknown_context_is_refused() -> None:
    with pytest.raises(ValueError, match="seen: 'nowhere'"):
        mp.get_context("nowhere")


def test_cpus_are_those_that_may_be_used() -> None:
    assert mp.cpu_count() <= len(os.sched_getaffinity(0))


def test_an_end_in_time_is_waited_for_under_either_name() -> None:
    assert issubclass(mp.TimeoutError, TimeoutError)
    assert issubclass(mp.TimeoutError, multiprocessing.TimeoutError)


def test_a_thread_process_writes_its_error_where_a_process_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    child = started(targets.fail, where="threads", name="loud")
    child.join(WAIT)

    said = capsys.readouterr().err

    assert said.startswith("Process loud:\nTraceback")
    assert "RuntimeError: as asked" in said
