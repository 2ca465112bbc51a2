"""Objects that are put once and used by many calls."""

import gc
import signal
from functools import partial

import big
import calls
import pytest
from big_memory import memory_files, memory_used

from lightwork.errors import UsageError, WorkerLost
from lightwork.pool.executor.inline import InlineExecutor
from lightwork.pool.memory.large_value import KEEP
from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor
from waiting import wait_until

pytestmark = pytest.mark.process

WAIT = 30
MIB = 1 << 20


def test_a_reference_stands_for_the_object_in_every_call() -> None:
    with ProcessExecutor(2) as pool:
        ref = pool.put(big.filled(7, 2 * MIB))

        found = {pool.submit(big.first_of, ref).result(WAIT)[0] for _ in range(20)}

        assert found == {7}


@pytest.mark.parametrize("kind", [ThreadExecutor, InlineExecutor])
def test_other_executors_hand_on_the_object_itself(
    kind: type[ThreadExecutor | InlineExecutor],
) -> None:
    array = big.filled(7)
    with kind() as pool:
        assert pool.submit(big.first_of, pool.put(array)).result(WAIT) == (7, id(array))


def test_a_child_loads_the_object_once(single: ProcessExecutor) -> None:
    ref = single.put(big.filled(7))

    seen = {single.submit(big.first_of, ref).result(WAIT) for _ in range(10)}

    assert len(seen) == 1


def test_small_objects_and_several_references_may_be_put(single: ProcessExecutor) -> None:
    refs = [single.put(n) for n in range(3)]

    got = single.submit(lambda refs: [ref.get() for ref in refs], refs).result(WAIT)

    assert got == [0, 1, 2]
    assert [ref.get() for ref in refs] == [0, 1, 2]


def test_calls_share_the_object_so_none_may_change_it(single: ProcessExecutor) -> None:
    ref = single.put(big.filled(7))

    with pytest.raises(TypeError, match="read-only"):
        single.submit(big.overwrite_ref, ref).result(WAIT)


def test_chunks_of_a_map_may_carry_references(single: ProcessExecutor) -> None:
    ref = single.put(big.filled(7))

    assert {first for first, _ in single.map(big.first_of, [ref] * 100)} == {7}


def test_calls_that_carry_a_dropped_reference_still_find_the_object(
    single: ProcessExecutor,
) -> None:
    found = [single.submit(big.first_of, single.put(big.filled(n, MIB))) for n in range(50)]

    assert [future.result(WAIT)[0] for future in found] == list(range(50))


def test_dropped_objects_give_their_memory_back(single: ProcessExecutor) -> None:
    for n in range(5):
        ref = single.put(big.filled(n, KEEP))
        single.submit(big.first_of, ref).result(WAIT)
        del ref
        # The child forgets before its next call.
        single.submit(big.look_nowhere).result(WAIT)
    gc.collect()

    wait_until(lambda: memory_used() <= KEEP + MIB, "640 MiB have passed through 128")


def test_a_reference_that_no_call_looked_at_gives_its_memory_back(single: ProcessExecutor) -> None:
    ref = single.put(big.filled(1, 2 * KEEP))
    single.submit(big.look_nowhere, ref).result(WAIT)
    most = memory_used()

    del ref
    single.submit(big.look_nowhere).result(WAIT)

    assert most >= 2 * KEEP
    wait_until(lambda: memory_used() <= KEEP + MIB, "the object is given back")


def test_an_object_that_a_child_keeps_is_not_overwritten(single: ProcessExecutor) -> None:
    single.submit(big.keep_ref, single.put(big.filled(1, MIB))).result(WAIT)
    for _ in range(5):
        single.submit(big.keep_ref, single.put(big.filled(2, MIB))).result(WAIT)

    assert single.submit(big.kept).result(WAIT) == [{1}, *[{2}] * 5]


def test_a_death_costs_no_reference(single: ProcessExecutor) -> None:
    ref = single.put(big.filled(7, MIB))
    for _ in range(3):
        single.submit(big.first_of, ref).result(WAIT)
        with pytest.raises(WorkerLost):
            single.submit(calls.kill_myself, signal.SIGKILL).result(WAIT)

    assert single.submit(big.first_of, ref).result(WAIT)[0] == 7


def test_after_shutdown_nothing_is_left_although_the_reference_is() -> None:
    with ProcessExecutor(1) as pool:
        ref = pool.put(big.filled(7, MIB))
        pool.submit(big.first_of, ref).result(WAIT)

    assert memory_files() == []
    assert big.values(ref.get()) == {7}


def test_a_closed_executor_takes_no_object(single: ProcessExecutor) -> None:
    single.shutdown()

    with pytest.raises(RuntimeError, match="after shutdown"):
        single.put(1)


def test_a_reference_within_a_function_is_refused(single: ProcessExecutor) -> None:
    ref = single.put(big.filled(7))

    for _ in range(2):
        with pytest.raises(UsageError, match="in a function"):
            single.submit(partial(big.first_of, ref)).result(WAIT)


def test_a_reference_of_another_executor_is_refused(single: ProcessExecutor) -> None:
    with ProcessExecutor(1) as other:
        ref, _ = other.put(big.filled(7)), single.put(1)

        with pytest.raises(UsageError, match="executor that made it"):
            single.submit(big.first_of, ref).result(WAIT)


def test_a_reference_as_a_result_is_refused(single: ProcessExecutor) -> None:
    with pytest.raises(TypeError, match="a result"):
        single.submit(big.echo, single.put(big.filled(7))).result(WAIT)
