"""Lock and RLock, at every reach."""

import pickle
import threading

import pytest

import lightwork as lw
from sync.together import PATIENCE, beside, together


@pytest.fixture(params=["Lock", "RLock"])
def lock(request: pytest.FixtureRequest, where: str) -> lw.Lock:
    made: lw.Lock = getattr(lw, request.param)(where=where)
    return made


def in_a_thread(act: object) -> object:
    assert callable(act)
    with beside(act) as future:
        return future.result(PATIENCE)


def test_who_wants_what_another_holds_goes_without(lock: lw.Lock) -> None:
    with lock:
        assert in_a_thread(lambda: lock.acquire(blocking=False)) is False
        assert in_a_thread(lambda: lock.acquire(timeout=0.01)) is False
        assert lock.locked()

    assert not lock.locked()
    assert in_a_thread(lambda: lock.acquire(blocking=False)) is True


def test_who_waits_gets_it_when_it_is_released(lock: lw.Lock) -> None:
    lock.acquire()

    def take() -> None:
        with lock:
            pass

    with beside(take) as waiting:
        lock.release()
        waiting.result(PATIENCE)

    assert not lock.locked()


def test_who_has_waited_in_vain_is_in_nobodys_way(lock: lw.Lock) -> None:
    lock.acquire()
    assert in_a_thread(lambda: lock.acquire(timeout=0.01)) is False

    lock.release()

    assert lock.acquire(timeout=PATIENCE)


def test_a_token_only_grows(lock: lw.Lock) -> None:
    tokens = []
    for _ in range(3):
        with lock:
            tokens.append(lock.token)

    assert tokens == sorted(set(tokens))
    assert not lock.inherited


def test_what_is_not_held_is_not_released(lock: lw.Lock) -> None:
    with pytest.raises(RuntimeError, match="it is not held"):
        lock.release()


def test_an_error_in_the_block_lets_go(lock: lw.Lock) -> None:
    with pytest.raises(KeyError), lock:
        raise KeyError

    assert not lock.locked()


def test_a_lock_that_was_broken_is_lost_to_its_holder(lock: lw.Lock) -> None:
    lock.acquire()

    assert lock.force_release()

    with pytest.raises(lw.LockLost, match="no longer its own"):
        lock.release()
    assert lock.acquire(blocking=False)
    assert lock.inherited
    lock.release()
    assert not lock.force_release()


def test_a_lock_may_be_released_by_another_thread(where: str) -> None:
    lock = lw.Lock(where=where)
    lock.acquire()

    in_a_thread(lock.release)

    assert lock.acquire(blocking=False)


def test_a_reentrant_lock_belongs_to_its_thread(where: str) -> None:
    lock = lw.RLock(where=where)

    with lock, lock:
        with pytest.raises(RuntimeError, match="another thread holds it"):
            in_a_thread(lock.release)
        assert in_a_thread(lambda: lock.acquire(blocking=False)) is False
    assert in_a_thread(lambda: lock.acquire(blocking=False)) is True


def test_a_name_is_one_lock(where: str, name: str) -> None:
    first, second = lw.Lock(name, where=where), lw.Lock(name, where=where)
    other = lw.Lock(where=where)

    with first:
        assert not second.acquire(blocking=False)
        assert other.acquire(blocking=False)


def test_a_name_is_one_kind_of_lock(where: str, name: str) -> None:
    lock = lw.Lock(name, where=where)
    # At a store it is there when it is first used.
    assert not lock.locked()

    with pytest.raises(lw.UsageError, match=name):
        lw.RLock(name, where=where).acquire()

    assert lock.acquire(blocking=False)


def test_what_is_pickled_is_the_same_lock(lock: lw.Lock) -> None:
    if lock.where == "threads":
        with pytest.raises(TypeError, match="known in its program alone"):
            pickle.dumps(lock)
        return

    other: lw.Lock = pickle.loads(pickle.dumps(lock))

    with lock:
        assert in_a_thread(lambda: other.acquire(blocking=False)) is False


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"blocking": False, "timeout": 1}, ValueError),
        ({"timeout": -2}, ValueError),
        ({"timeout": threading.TIMEOUT_MAX + 1}, OverflowError),
    ],
)
def test_what_threading_refuses_is_refused(
    lock: lw.Lock, arguments: dict[str, float], error: type[Exception]
) -> None:
    with pytest.raises(error):
        lock.acquire(**arguments)  # type: ignore[arg-type]


def test_a_balance_ends_at_zero(where: str) -> None:
    lock, balance = lw.Lock(where=where), lw.Value("q", lock=False, where=where)

    def change_it(number: int) -> None:
        for _ in range(25):
            with lock:
                balance.value += number
            with lock:
                balance.value -= number

    together(4, change_it)

    assert balance.value == 0


def test_a_name_is_the_same_text_at_every_reach(where: str, name: str) -> None:
    odd = f"{name}'%/\\ \n ü😀 "
    lock = lw.Lock(odd, where=where)

    assert lock.acquire()

    assert lw.Lock(odd, where=where).locked()
    assert not lw.Lock(odd.rstrip(), where=where).locked()
    assert not lw.Lock(odd.upper(), where=where).locked()
    lock.release()


def test_what_some_reach_cannot_keep_is_no_name_at_any(where: str) -> None:
    for no_name in ("a\0b", "\ud800", "x" * 191):
        with pytest.raises(lw.UsageError, match="a name is text of at most 190 characters"):
            lw.Lock(no_name, where=where)
    with pytest.raises(TypeError, match="a name is text, not int"):
        lw.Lock(5, where=where)  # type: ignore[arg-type]


def test_the_longest_name_has_room_for_the_lock_of_what_it_names(where: str, name: str) -> None:
    condition = lw.Condition(name=name.ljust(190, "x"), where=where)

    with condition:
        condition.notify()
