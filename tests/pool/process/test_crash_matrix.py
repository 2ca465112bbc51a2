"""Whatever goes wrong, wherever, and however it was submitted: one call, one known outcome.

Rows are the places where a call can go wrong, columns the ways in which it can.
A type is the exception that the future has; a number is the exit code of
WorkerLost; RAISED is for what leaves `submit` or `map` in the caller's own
thread. What would end the program itself is left out.
"""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import calls
import crash_calls
import pytest
from crash_calls import ACTS, act_or_double, guilty_item

from lightwork.errors import RemoteError, WorkerLost
from lightwork.pool.process.executor import ProcessExecutor
from waiting import wait_until

pytestmark = pytest.mark.process

WAIT = 30
INNOCENTS = range(20)
# Without a known length, so that "auto" makes chunks of them.
MANY = 3000
GUILTY_AT = 2500

Outcome = type[BaseException] | int
ERROR, INT, EXIT = ArithmeticError, KeyboardInterrupt, SystemExit
ODD, TEXT = calls.UnpicklableError, RemoteError
SEGV, KILL, ABRT = -signal.SIGSEGV, -signal.SIGKILL, -signal.SIGABRT

# error, unpicklable, exit, interrupt, _exit, segfault, kill -9, abort
MATRIX: dict[str, tuple[Outcome, ...]] = {
    "argument loaded": (ERROR, TEXT, EXIT, INT, 6, SEGV, KILL, ABRT),
    "function loaded": (ERROR, TEXT, EXIT, INT, 6, SEGV, KILL, ABRT),
    "running": (ERROR, TEXT, EXIT, INT, 6, SEGV, KILL, ABRT),
    "result pickled": (ERROR, TEXT, EXIT, INT, 6, SEGV, KILL, ABRT),
    "argument pickled": (ERROR, ODD),
    "result loaded": (ERROR, ODD, EXIT, INT),
}
RAISED = [("exit", EXIT), ("interrupt", INT)]

CELLS = [
    pytest.param(where, what, outcome, id=f"{where}, {what}")
    for where, row in MATRIX.items()
    for what, outcome in zip(ACTS, row, strict=False)
]
OF_ITEMS = [cell for cell in CELLS if cell.values[0] != "function loaded"]
OF_FUNCTIONS = [cell.values[1:] for cell in CELLS if cell.values[0] == "function loaded"]


def is_outcome(error: object, outcome: Outcome) -> bool:
    if isinstance(outcome, int):
        return isinstance(error, WorkerLost) and error.exitcode == outcome
    return type(error) is outcome


def submit_innocents(pool: ProcessExecutor) -> list[Any]:
    return [pool.submit(act_or_double, n) for n in INNOCENTS]


def are_unharmed(found: list[Any]) -> bool:
    return [future.result(WAIT) for future in found] == [2 * n for n in INNOCENTS]


def with_guilty(where: str, what: str, *, at: int, total: int) -> Iterator[Any]:
    for n in range(total):
        yield guilty_item(where, what) if n == at else n


def wrong(found: list[Any]) -> list[int]:
    return [n for n, value in enumerate(found) if value != 2 * n]


# --- the call of one item


@pytest.mark.parametrize(("where", "what", "outcome"), OF_ITEMS)
def test_a_call_fails_alone(pool: ProcessExecutor, where: str, what: str, outcome: Outcome) -> None:
    before = submit_innocents(pool)
    guilty = pool.submit(act_or_double, guilty_item(where, what))
    beside = submit_innocents(pool)

    error = guilty.exception(WAIT)

    assert is_outcome(error, outcome), repr(error)
    assert are_unharmed(before)
    assert are_unharmed(beside)
    assert are_unharmed(submit_innocents(pool))


@pytest.mark.parametrize(("where", "what", "outcome"), OF_ITEMS)
def test_an_item_of_a_map_fails_alone(
    pool: ProcessExecutor, where: str, what: str, outcome: Outcome
) -> None:
    beside = submit_innocents(pool)
    items = with_guilty(where, what, at=20, total=41)

    found = list(pool.map(act_or_double, items, chunksize=1, errors="return"))

    assert wrong(found) == [20]
    assert is_outcome(found[20], outcome), repr(found[20])
    assert are_unharmed(beside)
    assert are_unharmed(submit_innocents(pool))


@pytest.mark.parametrize(("where", "what", "outcome"), OF_ITEMS)
def test_an_item_of_a_chunk_costs_its_chunk_at_most(
    pool: ProcessExecutor, where: str, what: str, outcome: Outcome
) -> None:
    beside = submit_innocents(pool)
    items = with_guilty(where, what, at=GUILTY_AT, total=MANY)

    found = list(pool.map(act_or_double, items, errors="return"))

    lost = wrong(found)
    assert is_outcome(found[GUILTY_AT], outcome), repr(found[GUILTY_AT])
    assert lost == list(range(lost[0], lost[-1] + 1))
    assert all(is_outcome(found[n], outcome) for n in lost)
    if where == "running" and what in {"error", "unpicklable", "exit"}:
        assert lost == [GUILTY_AT]
    assert are_unharmed(beside)
    assert are_unharmed(submit_innocents(pool))


# --- the function of many calls


@pytest.mark.parametrize(("what", "outcome"), OF_FUNCTIONS)
@pytest.mark.parametrize("chunksize", [0, 1, "auto"])
def test_a_function_that_cannot_be_loaded_fails_its_calls_alone(
    pool: ProcessExecutor, what: str, outcome: Outcome, chunksize: Any
) -> None:
    function = crash_calls.FailsWhenLoadedAsFunction(what)
    before = submit_innocents(pool)

    if chunksize:
        found = list(pool.map(function, range(4), chunksize=chunksize, errors="return"))
    else:
        found = [pool.submit(function, n).exception(WAIT) for n in range(4)]

    assert all(is_outcome(error, outcome) for error in found), found
    assert are_unharmed(before)
    assert are_unharmed(submit_innocents(pool))


# --- the caller's own thread


@pytest.mark.parametrize(("what", "kind"), RAISED)
def test_an_exit_while_an_argument_is_pickled_is_the_callers(
    pool: ProcessExecutor, what: str, kind: type[BaseException]
) -> None:
    before = submit_innocents(pool)

    with pytest.raises(kind):
        pool.submit(act_or_double, guilty_item("argument pickled", what))

    assert are_unharmed(before)
    assert are_unharmed(submit_innocents(pool))


@pytest.mark.parametrize(("what", "kind"), RAISED)
@pytest.mark.parametrize("chunksize", [1, "auto"])
def test_an_exit_while_an_item_is_pickled_is_the_callers(
    pool: ProcessExecutor, what: str, kind: type[BaseException], chunksize: Any
) -> None:
    before = submit_innocents(pool)
    items = with_guilty("argument pickled", what, at=20, total=41)

    with pytest.raises(kind):
        list(pool.map(act_or_double, items, chunksize=chunksize, errors="return"))

    assert are_unharmed(before)
    assert are_unharmed(submit_innocents(pool))


# --- a child that runs no call


@pytest.mark.parametrize("what", ACTS)
def test_a_finalizer_that_goes_wrong_costs_nothing(what: str) -> None:
    with ProcessExecutor(2, max_tasks_per_child=3, finalizer=ACTS[what]) as pool:
        found = [submit_innocents(pool) for _ in range(3)]

        assert all(map(are_unharmed, found))


@pytest.mark.parametrize("what", ACTS)
def test_what_a_call_leaves_for_the_exit_costs_nothing(what: str) -> None:
    with ProcessExecutor(2, max_tasks_per_child=3) as pool:
        found = [pool.submit(crash_calls.act_at_exit, what, n) for n in INNOCENTS]

        assert are_unharmed(found)
        assert are_unharmed(submit_innocents(pool))


@pytest.mark.parametrize("what", ACTS)
def test_a_thread_that_a_call_left_running_costs_no_later_call(what: str, tmp_path: Path) -> None:
    go = tmp_path / "go"
    with ProcessExecutor(1) as pool:
        child = pool.submit(crash_calls.leave_thread, what, str(go)).result(WAIT)
        before = submit_innocents(pool)
        assert are_unharmed(before)

        go.touch()
        wait_until(Path(f"{go}.seen").exists, "the thread acts")
        if isinstance(MATRIX["running"][list(ACTS).index(what)], int):
            wait_until(lambda: child not in pool._pool.pids(), "the child has died")

        assert are_unharmed(submit_innocents(pool))


def test_threads_that_calls_left_running_do_not_delay_the_end(tmp_path: Path) -> None:
    with ProcessExecutor(2) as pool:
        for _ in range(4):
            pool.submit(crash_calls.leave_thread, "error", str(tmp_path / "never")).result(WAIT)

    assert pool._pool.pids() == []
