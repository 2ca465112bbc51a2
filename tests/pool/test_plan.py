"""What a pool decides, without any child."""

from hypothesis import given
from hypothesis import strategies as st

from lightwork.pool.limits import NEVER, Limits
from lightwork.pool.plan import (
    AHEAD_BYTES,
    AHEAD_CALLS,
    AHEAD_SECONDS,
    PEEK_FIRST_SECONDS,
    PEEK_LAST_SECONDS,
    Waiting,
    may_send_ahead,
    next_peek_delay,
)


def test_short_calls_are_sent_ahead() -> None:
    assert may_send_ahead(10, 1e-4, 1000, seconds=1e-5, size=10)


def test_a_call_that_was_never_measured_waits_for_an_idle_child() -> None:
    assert not may_send_ahead(1, 0.0, 0, seconds=-1.0, size=10)


def test_nothing_is_sent_behind_a_long_call() -> None:
    assert not may_send_ahead(1, AHEAD_SECONDS, 0, seconds=1e-6, size=10)


def test_a_long_call_is_not_sent_behind_anything() -> None:
    assert not may_send_ahead(1, 0.0, 0, seconds=2 * AHEAD_SECONDS, size=10)


def test_a_child_holds_a_bounded_number_of_calls() -> None:
    assert not may_send_ahead(AHEAD_CALLS, 0.0, 0, seconds=0.0, size=0)


def test_a_child_holds_bounded_arguments() -> None:
    assert not may_send_ahead(1, 0.0, AHEAD_BYTES, seconds=0.0, size=1)


def test_looks_become_rare_but_never_stop() -> None:
    delays = [next_peek_delay(looks) for looks in range(2000)]

    assert delays[0] == PEEK_FIRST_SECONDS
    assert delays == sorted(delays)
    assert delays[-1] == PEEK_LAST_SECONDS


@given(st.lists(st.tuples(st.integers(-2, 2), st.booleans())))
def test_waiting_calls_leave_by_priority_and_then_in_order(
    steps: list[tuple[int, bool]],
) -> None:
    waiting: Waiting[tuple[int, int]] = Waiting()
    model: list[tuple[int, int]] = []

    for number, (priority, takes) in enumerate(steps):
        waiting.add((-priority, number), priority)
        model.append((-priority, number))
        if takes:
            expected = min(model)
            model.remove(expected)
            assert waiting.first() == expected
            assert waiting.take() == expected
        assert len(waiting) == len(model)

    assert waiting.clear() == sorted(model)
    assert len(waiting) == 0


@given(st.lists(st.integers(-2, 2), min_size=1), st.data())
def test_what_is_put_back_in_reverse_is_in_its_old_order(
    priorities: list[int], data: st.DataObject
) -> None:
    waiting: Waiting[tuple[int, int]] = Waiting()
    for number, priority in enumerate(priorities):
        waiting.add((-priority, number), priority)

    taken = [waiting.take() for _ in range(data.draw(st.integers(0, len(priorities))))]
    for call in reversed(taken):
        waiting.put_back(call, -call[0])

    assert waiting.clear() == sorted((-p, n) for n, p in enumerate(priorities))


def test_limits_return_what_is_due_in_order() -> None:
    limits: Limits[str] = Limits()
    limits.look_at(1, "late", 3.0)
    limits.look_at(2, "soon", 1.0)
    limits.look_at(3, "next", 2.0)

    assert limits.next() == 1.0
    assert limits.take_due(2.0) == ["soon", "next"]
    assert limits.next() == 3.0


def test_a_later_look_replaces_the_earlier_one() -> None:
    limits: Limits[str] = Limits()
    limits.look_at(1, "call", 1.0)
    limits.look_at(1, "call", 5.0)

    assert limits.take_due(4.0) == []
    assert limits.take_due(5.0) == ["call"]
    assert limits.take_due(9.0) == []


def test_limits_keep_nothing_of_calls_that_are_over() -> None:
    limits: Limits[object] = Limits()
    for seq in range(10_000):
        limits.look_at(seq, object(), 3600.0 + seq)
        limits.drop(seq)

    assert len(limits) == 0
    assert len(limits._heap) < 1000
    assert limits.next() == NEVER
