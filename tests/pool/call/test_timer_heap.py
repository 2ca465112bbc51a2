"""What is due when, without any clock."""

from lightwork.pool.call.timer_heap import NEVER, TimerHeap


def test_timers_return_what_is_due_in_order() -> None:
    timers: TimerHeap[str] = TimerHeap()
    timers.look_at(1, "late", 3.0)
    timers.look_at(2, "soon", 1.0)
    timers.look_at(3, "next", 2.0)

    assert timers.next() == 1.0
    assert timers.take_due(2.0) == ["soon", "next"]
    assert timers.next() == 3.0


def test_a_later_look_replaces_the_earlier_one() -> None:
    timers: TimerHeap[str] = TimerHeap()
    timers.look_at(1, "call", 1.0)
    timers.look_at(1, "call", 5.0)

    assert timers.take_due(4.0) == []
    assert timers.take_due(5.0) == ["call"]
    assert timers.take_due(9.0) == []


def test_timers_keep_nothing_of_calls_that_are_over() -> None:
    timers: TimerHeap[object] = TimerHeap()
    for seq in range(10_000):
        timers.look_at(seq, object(), 3600.0 + seq)
        timers.drop(seq)

    assert len(timers) == 0
    assert len(timers._heap) < 1000
    assert timers.next() == NEVER
