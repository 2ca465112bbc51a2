"""A Ctrl-C at each place at which Python looks for signals, at the end of a `with`, at every reach."""

import pytest

import lightwork as lw
from interrupts import interrupted_at
from sync.cut_off import CAN_CUT_OFF, is_cut_off

OURS = ("/lightwork/sync/", "/lightwork/locks/")


@pytest.mark.skipif(not CAN_CUT_OFF, reason="this Python tells of no steps")
@pytest.mark.parametrize("kind", [lw.Lock, lw.RLock])
def test_who_leaves_a_block_lets_go_of_its_lock(where: str, kind: type[lw.Lock]) -> None:
    lock = kind(where=where)
    number, was_cut_off = 0, True
    while was_cut_off:
        number += 1
        lock.acquire()

        was_cut_off = is_cut_off(
            lambda: lock.__exit__(None, None, None), "/lightwork/sync/", number
        )

        # Before the first line of ours nobody can know of it.
        assert lock.locked() is (number == 1), f"after point {number}"
        if number == 1:
            lock.release()

    assert number > 10
    assert lock.acquire(blocking=False)
    assert not lock.inherited


@pytest.mark.parametrize("kind", [lw.Semaphore, lw.BoundedSemaphore])
def test_who_leaves_a_block_lets_go_of_its_semaphore_once(
    where: str, kind: type[lw.Semaphore]
) -> None:
    semaphore = kind(2, where=where)
    number, was_cut_off = 0, True
    while was_cut_off:
        number += 1
        semaphore.acquire()

        was_cut_off = interrupted_at(
            number, lambda: semaphore.__exit__(None, None, None), within=OURS
        )

        # Before the first line of ours nobody can know of it.
        assert semaphore.get_value() == (1 if number == 1 else 2), f"after step {number}"
        if number == 1:
            semaphore.release()

    assert number > 10


@pytest.mark.parametrize("kind", [lw.Lock, lw.RLock, lw.Semaphore])
def test_who_is_cut_off_at_the_door_of_a_block_has_nothing(
    where: str, kind: type[lw.Lock | lw.Semaphore]
) -> None:
    one = kind(where=where)
    number, was_cut_off = 0, True
    while was_cut_off:
        number += 1

        was_cut_off = interrupted_at(number, one.__enter__, within=OURS)

        is_free = one.get_value() == 1 if isinstance(one, lw.Semaphore) else not one.locked()
        assert is_free is was_cut_off, f"after step {number}"

    assert number > 5
    one.release()
