"""Condition, Event and Barrier, at every reach."""

import threading
from threading import BrokenBarrierError

import pytest

import lightwork as lw
from sync.together import PATIENCE, beside, together


def test_an_event_wakes_all_who_wait(where: str) -> None:
    event = lw.Event(where=where)

    with beside(lambda: together(3, lambda _: event.wait(PATIENCE))) as waiting:
        event.set()
        assert waiting.result(PATIENCE) == [True] * 3

    assert event.is_set()
    assert event.wait(0)


def test_an_event_that_is_cleared_is_waited_for(where: str) -> None:
    event = lw.Event(where=where)
    event.set()

    event.clear()

    assert not event.wait(0.01)
    assert not event.is_set()
    assert ": unset>" in repr(event)


def test_a_notification_wakes_who_waits(where: str) -> None:
    condition, ready = lw.Condition(where=where), lw.Event(where=where)

    def wait() -> bool:
        with condition:
            ready.set()
            return condition.wait(PATIENCE)

    with beside(wait) as waiting:
        ready.wait(PATIENCE)
        # Once this is had, the other one has let go of it: it waits.
        with condition:
            condition.notify()
        assert waiting.result(PATIENCE) is True


@pytest.mark.parametrize("kind", [threading.Lock, threading.RLock, None])
def test_any_lock_will_do(where: str, kind: type[object] | None) -> None:
    lock = lw.Lock(where=where) if kind is None else kind()
    condition, numbers = lw.Condition(lock, where=where), []  # type: ignore[arg-type, var-annotated]

    def take() -> int:
        with condition:
            condition.wait_for(lambda: numbers)
            return int(numbers.pop())

    with beside(lambda: together(3, lambda _: take())) as taken:
        for number in range(3):
            with condition:
                numbers.append(number)
                condition.notify_all()
        assert sorted(taken.result(PATIENCE)) == [0, 1, 2]


def test_a_reentrant_lock_is_let_go_of_wholly(where: str) -> None:
    condition = lw.Condition(where=where)

    with condition, condition:
        assert not condition.wait(0.01)
        with beside(lambda: condition.acquire(blocking=False)) as other:
            assert other.result(PATIENCE) is False


def test_who_has_waited_in_vain_is_not_notified(where: str) -> None:
    condition = lw.Condition(where=where)
    done: list[bool] = []

    with condition:
        assert not condition.wait(0.01)
        assert not condition.wait_for(lambda: done, timeout=0.01)

    def wait() -> None:
        with condition:
            condition.wait_for(lambda: done)

    with beside(wait) as waiting:
        with condition:
            done.append(True)
            condition.notify()
        waiting.result(PATIENCE)


def test_without_the_lock_nobody_waits_or_notifies(where: str) -> None:
    condition = lw.Condition(where=where)

    with pytest.raises(RuntimeError, match="cannot wait on un-acquired lock"):
        condition.wait()
    with pytest.raises(RuntimeError, match="cannot notify un-acquired lock"):
        condition.notify()


def test_a_barrier_lets_all_go_on_together(where: str) -> None:
    barrier = lw.Barrier(3, where=where)

    places = together(3, lambda _: [barrier.wait(PATIENCE) for _ in range(3)])

    assert [sorted(one) for one in zip(*places, strict=True)] == [[0, 1, 2]] * 3
    assert barrier.n_waiting == 0
    assert "waiters=0/3" in repr(barrier)


def test_the_action_is_done_before_any_goes_on(where: str) -> None:
    done: list[int] = []
    barrier = lw.Barrier(3, lambda: done.append(len(done)), where=where)

    def go(_: int) -> list[int]:
        seen = []
        for _ in range(2):
            barrier.wait(PATIENCE)
            seen.append(len(done))
            barrier.wait(PATIENCE)
        return seen

    assert together(3, go) == [[1, 3]] * 3


def test_an_action_that_fails_breaks_the_barrier(where: str) -> None:
    def fail() -> None:
        raise KeyError

    barrier = lw.Barrier(2, fail, where=where)

    def go(_: int) -> str:
        with pytest.raises((KeyError, BrokenBarrierError)) as error:
            barrier.wait(PATIENCE)
        return error.typename

    assert sorted(together(2, go)) == ["BrokenBarrierError", "KeyError"]
    assert barrier.broken


def test_who_goes_away_breaks_the_barrier_until_it_is_reset(where: str) -> None:
    barrier = lw.Barrier(2, timeout=0.01, where=where)

    with pytest.raises(BrokenBarrierError):
        barrier.wait()
    with pytest.raises(BrokenBarrierError):
        barrier.wait()
    assert ": broken>" in repr(barrier)
    barrier.reset()

    assert sorted(together(2, lambda _: barrier.wait(PATIENCE))) == [0, 1]


def test_an_abort_tells_those_who_wait(where: str) -> None:
    barrier = lw.Barrier(2, where=where)

    def wait() -> bool:
        with pytest.raises(BrokenBarrierError):
            barrier.wait(PATIENCE)
        return True

    with beside(wait) as waiting:
        barrier.abort()
        assert waiting.result(PATIENCE)
