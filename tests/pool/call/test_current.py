"""What a running call may know and say about itself."""

import gc
import subprocess
import sys
import threading
import uuid
import weakref

import pytest

from lightwork.errors import UsageError
from lightwork.pool.call.current import Current, current, is_call_cancelled, run_with


def test_current_is_found_inside_of_a_call() -> None:
    call = Current("child-1", job_id="j", attempt=2)

    found = run_with(call, current, (), {})

    assert found is call


def test_current_passes_arguments_and_the_result() -> None:
    result = run_with(Current("w"), divmod, (7, 2), {})

    assert result == (3, 1)


def test_current_outside_of_a_call_says_so() -> None:
    with pytest.raises(UsageError, match="outside of a call"):
        current()


def test_current_is_forgotten_after_a_call_that_failed() -> None:
    with pytest.raises(ZeroDivisionError):
        run_with(Current("w"), divmod, (1, 0), {})

    with pytest.raises(UsageError):
        current()


def test_nested_calls_each_find_their_own() -> None:
    inner, outer = Current("inner"), Current("outer")

    def nested() -> tuple[Current, Current]:
        return run_with(inner, current, (), {}), current()

    assert run_with(outer, nested, (), {}) == (inner, outer)


def test_a_thread_of_the_call_does_not_inherit_it() -> None:
    seen: list[bool] = []

    def call() -> None:
        thread = threading.Thread(target=lambda: seen.append(is_call_cancelled()))
        thread.start()
        thread.join()

    run_with(Current("w", is_cancelled=lambda: True), call, (), {})

    assert seen == [False]


def test_progress_reaches_the_reporter() -> None:
    seen: list[tuple[float, float, str]] = []
    call = Current("w", lambda *report: seen.append(report))

    call.progress(1, 2, "half")

    assert seen == [(1, 2, "half")]


def test_progress_without_a_listener_is_allowed() -> None:
    Current("w").progress(1)


def test_cancelled_is_asked_anew_each_time() -> None:
    answers = iter([False, True])
    call = Current("w", is_cancelled=lambda: next(answers))

    assert [call.cancelled, call.cancelled] == [False, True]


def test_local_calls_are_no_job() -> None:
    call = Current("w")

    assert (call.job_id, call.attempt, call.cancelled) == ("", 0, False)


def test_a_failed_call_is_not_kept_by_its_traceback() -> None:
    call = Current("w")
    kept = weakref.ref(call)
    gc.disable()
    try:
        with pytest.raises(ZeroDivisionError) as caught:
            run_with(call, divmod, (1, 0), {})
        del call
        assert kept() is None, gc.get_referrers(kept())
        assert caught.value is not None
    finally:
        gc.enable()


@pytest.mark.process
def test_importing_it_is_cheap_for_a_child() -> None:
    code = (
        "import sys, lightwork.pool.call.current, lightwork.pool.map.chunk\n"
        "heavy = {'asyncio', 'concurrent.futures', 'multiprocessing', 'subprocess', 'logging'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )

    assert done.stdout == "[]\n"


def test_a_call_that_no_schedule_has_made_was_never_due() -> None:
    assert Current("here").due_at is None
    assert Current("here", job_id=str(uuid.uuid4())).due_at is None
