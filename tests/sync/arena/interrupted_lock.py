"""Interrupted lock: an acquire, or a release, that a Ctrl-C cuts off, at one point later each time."""

import lightwork as lw
from lightwork.sync.arena.lock import ArenaLock
from lightwork.sync.arena.memory import ArenaMemory
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


def release_and_be_interrupted_everywhere(lock: ArenaLock) -> int:
    """Return how often it was cut off; only before its first step may it have left the lock as it was."""
    for number in range(1, 10_000):
        token, _ = lock.acquire(0.0)
        was_cut_off = is_cut_off(lock.release, "/lightwork/sync/", number)
        if number == 1:
            assert lock.count() == 1
            lock.release_grant(token)
        assert not lock.is_locked(), f"held by nobody after point {number}"
        assert lock.acquire(0.0)[1] is False, f"thought to be of a dead one after point {number}"
        lock.release()
        if not was_cut_off:
            return number - 1
    raise AssertionError("it has no end")


def leave_a_block_and_be_interrupted_everywhere(lock: lw.Lock) -> int:
    """Return how often the end of a `with` was cut off; the first point is before any step of ours."""
    for number in range(1, 10_000):
        lock.acquire()
        was_cut_off = is_cut_off(
            lambda: lock.__exit__(None, None, None), "/lightwork/sync/", number
        )
        assert lock.locked() is (number == 1), f"after point {number}"
        if number == 1:
            lock.release()
        assert lock.acquire(blocking=False), f"after point {number}"
        assert not lock.inherited, f"after point {number}"
        lock.release()
        if not was_cut_off:
            return number - 1
    raise AssertionError("it has no end")


def write_and_be_interrupted_everywhere(memory: ArenaMemory) -> int:
    """Return how often a write was cut off, after each of which another may write."""
    for number in range(1, 10_000):
        was_cut_off = is_cut_off(lambda: memory.write(0, bytes(8)), "/lightwork/sync/", number)
        assert not memory._lock.is_locked(), f"held by nobody after point {number}"
        if not was_cut_off:
            return number - 1
    raise AssertionError("it has no end")
