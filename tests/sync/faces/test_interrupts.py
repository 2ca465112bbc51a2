"""A Ctrl-C at each place at which Python looks for signals, at the end of a `with`, at every reach."""

import pytest

import lightwork as lw
from sync.cut_off import CAN_CUT_OFF, is_cut_off


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
