"""Interrupted lock: an acquire that a Ctrl-C cuts off, at one point later each time."""

from lightwork.sync.arena.lock import ArenaLock
from sync.cut_off import is_cut_off


def acquire_and_be_interrupted_everywhere(lock: ArenaLock) -> int:
    """Return how often it was cut off, each of which must have left the lock free and clean."""
    for number in range(1, 10_000):
        if not is_cut_off(lambda: lock.acquire(None), "/lightwork/sync/", number):
            assert lock.count() == 1
            lock.release()
            return number - 1
        assert not lock.is_locked(), f"held by nobody after point {number}"
        assert lock.acquire(0.0)[1] is False, f"thought to be of a dead one after point {number}"
        lock.release()
    raise AssertionError("it has no end")
