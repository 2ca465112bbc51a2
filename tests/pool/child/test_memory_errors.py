"""Calls that ask for more memory than they may have: an error in the call, not a kill."""

import resource
from collections.abc import Callable, Iterator

import memory_calls
import pytest

from lightwork.errors import WorkerLost
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.tasks.task import task

pytestmark = pytest.mark.process

WAIT = 30
MIB = 1 << 20


@pytest.fixture
def pool() -> Iterator[ProcessExecutor]:
    with ProcessExecutor(1, memory_errors=True) as executor:
        yield executor


def test_a_call_that_wants_too_much_gets_a_memory_error(pool: ProcessExecutor) -> None:
    hold = task(max_memory="200M")(memory_calls.hold)

    assert isinstance(pool.submit(hold, 500 * MIB).exception(WAIT), MemoryError)


def test_the_call_itself_may_catch_it(pool: ProcessExecutor) -> None:
    hold = task(max_memory="200M")(memory_calls.hold_or_tell)

    assert pool.submit(hold, 500 * MIB).result(WAIT) == "refused"
    assert pool.submit(hold, 50 * MIB).result(WAIT) == "held"


def test_its_child_lives_on_and_its_next_call_has_no_limit(pool: ProcessExecutor) -> None:
    hold = task(max_memory="200M")(memory_calls.hold)
    _, before = pool.submit(memory_calls.hold, 1).result(WAIT)
    pool.submit(hold, 500 * MIB).exception(WAIT)

    assert pool.submit(memory_calls.hold, 500 * MIB).result(WAIT) == (500 * MIB, before)


@pytest.mark.parametrize("fn", [memory_calls.hold_nothing, memory_calls.fail])
def test_the_limit_is_reset_however_the_call_ends(
    pool: ProcessExecutor, fn: Callable[[], None]
) -> None:
    pool.submit(task(max_memory="200M")(fn)).exception(WAIT)

    assert pool.submit(memory_calls.data_limit).result(WAIT) == resource.RLIM_INFINITY


def test_the_limit_is_a_soft_one_of_the_child(pool: ProcessExecutor) -> None:
    limit = task(max_memory="200M")(memory_calls.data_limit)

    inside = pool.submit(limit).result(WAIT)

    assert 0 < inside < 2000 * MIB


def test_memory_that_is_no_data_is_measured_and_the_child_killed(pool: ProcessExecutor) -> None:
    hold = task(max_memory="200M")(memory_calls.hold_shared)

    with pytest.raises(WorkerLost, match=r"hold_shared was killed: its child held [\d,]+ bytes"):
        pool.submit(hold, 400 * MIB).result(WAIT)


def test_each_item_of_a_map_has_the_limit(pool: ProcessExecutor) -> None:
    hold = task(max_memory="200M")(memory_calls.hold_or_tell)

    found = list(pool.map(hold, [MIB, 500 * MIB, MIB]))

    assert found == ["held", "refused", "held"]


def test_a_function_without_a_name_can_have_the_limit(pool: ProcessExecutor) -> None:
    hold = task(max_memory="200M")(lambda size: len(b"x" * size))

    assert pool.submit(hold, MIB).result(WAIT) == MIB
    assert isinstance(pool.submit(hold, 500 * MIB).exception(WAIT), MemoryError)


def test_without_the_option_the_child_is_killed() -> None:
    hold = task(max_memory="200M")(memory_calls.hold_shared)

    with ProcessExecutor(1) as pool, pytest.raises(WorkerLost):
        pool.submit(hold, 400 * MIB).result(WAIT)
