"""What a pool decides, without any child."""

from hypothesis import given
from hypothesis import strategies as st

from lightwork.pool.process.peek import PEEK_FIRST_SECONDS, PEEK_LAST_SECONDS, next_peek_delay
from lightwork.pool.process.send_ahead import (
    AHEAD_BYTES,
    AHEAD_CALLS,
    AHEAD_SECONDS,
    may_send_ahead,
)
from lightwork.pool.process.waiting_calls import PriorityLine


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
    waiting: PriorityLine[tuple[int, int]] = PriorityLine()
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
    waiting: PriorityLine[tuple[int, int]] = PriorityLine()
    for number, priority in enumerate(priorities):
        waiting.add((-priority, number), priority)

    taken = [waiting.take() for _ in range(data.draw(st.integers(0, len(priorities))))]
    for call in reversed(taken):
        waiting.put_back(call, -call[0])

    assert waiting.clear() == sorted((-p, n) for n, p in enumerate(priorities))
