"""The calls of a child, without a child, a pipe or memory."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from no_pool import NoPool

from lightwork.pool.call.options import PLAIN
from lightwork.pool.link.held_calls import FUNCTIONS_MAX, HeldCalls
from lightwork.pool.link.process_call import ProcessCall
from lightwork.pool.wire.frames import Kind
from lightwork.pool.wire.function import Function

CHILD = 7
DOUBLE = Function(1, "double", b"")

Packet = tuple[int, int, int]


class Pipe:
    """Packets on their way, as kind, function and call."""

    def __init__(self, held: HeldCalls) -> None:
        self.held = held
        self.packets: list[Packet] = []
        self.head = 0

    def give(self, call: ProcessCall) -> ProcessCall:
        """Do what a link does, with ten bytes in the ring for each packet."""
        number = call.function.number
        call.ring_start = self.head
        if number not in self.held.functions:
            replaced = self.held.function_to_replace()
            self.held.add_function(number, 1000 + number, b"", replaced=replaced)
            self._send(Kind.FUNCTION, number, replaced)
        call.body_start = self.head
        call.inbox_offset = self.head
        self._send(Kind.ASYNC_CALL if call.function.is_async else Kind.CALL, number, call.seq)
        call.ring_end = self.head
        self.held.add(call, b"")
        return call

    def _send(self, kind: Kind, function: int, seq: int) -> None:
        self.packets.append((kind, function, seq))
        self.head += 10

    def rest(self, read: int) -> list[Packet]:
        """Return what is left when the child has read so many."""
        return self.packets[read:]


@pytest.fixture
def held() -> HeldCalls:
    return HeldCalls(CHILD)


@pytest.fixture
def pipe(held: HeldCalls) -> Pipe:
    return Pipe(held)


def make_call(seq: int, function: Function = DOUBLE, *, end: int = 0) -> ProcessCall:
    call = ProcessCall(seq, function, b"args", PLAIN, NoPool())
    call.end = end
    return call


def make_coroutine(seq: int) -> ProcessCall:
    return make_call(seq, Function(2, "wait", b"", is_async=True))


def test_a_call_belongs_to_the_child_until_it_is_answered(held: HeldCalls, pipe: Pipe) -> None:
    call = pipe.give(make_call(1))

    assert (call.child, held.calls, held.bytes) == (CHILD, {1: call}, 4)

    assert held.forget(1) is call
    assert (call.child, held.calls, held.bytes, held.seconds) == (0, {}, 0, 0.0)
    assert held.forget(1) is None


@given(count=st.integers(1, 6), read=st.integers(0, 7), functions=st.integers(1, 3))
def test_what_was_not_read_is_taken_back_and_the_rest_stays(
    count: int, read: int, functions: int
) -> None:
    pipe = Pipe(HeldCalls(CHILD))
    held = pipe.held
    kinds = [Function(n, "f", b"") for n in range(functions)]
    calls = [pipe.give(make_call(seq, kinds[seq % functions])) for seq in range(1, count + 1)]
    rest = pipe.rest(read)

    taken = held.take_back(rest)

    unread = [seq for kind, _, seq in rest if kind == Kind.CALL]
    assert [call.seq for call in taken.calls] == unread
    assert [*held.calls] == [call.seq for call in calls if call.seq not in unread]
    assert held.sent_total == len(held.calls)
    assert held.bytes == 4 * len(held.calls)
    assert taken.packets == len(rest)
    assert {1000 + number for kind, number, _ in rest if kind == Kind.FUNCTION} <= {*taken.offsets}
    # All that was written for them, and nothing that was written for others.
    if unread:
        assert taken.ring_start == pipe.head - 10 * len(rest)
    else:
        assert taken.ring_start == -1


def test_a_function_that_was_taken_back_is_not_known(held: HeldCalls, pipe: Pipe) -> None:
    pipe.give(make_call(1))

    held.take_back(pipe.rest(0))

    assert not held.functions


def test_a_function_that_was_read_stays_known_when_its_call_is_taken_back(
    held: HeldCalls, pipe: Pipe
) -> None:
    call = pipe.give(make_call(1))

    taken = held.take_back(pipe.rest(1))

    assert taken.calls == [call]
    assert [*held.functions] == [DOUBLE.number]
    assert taken.ring_start == call.body_start


def test_words_about_calls_that_the_child_keeps_are_to_be_sent_again(
    held: HeldCalls, pipe: Pipe
) -> None:
    pipe.give(make_coroutine(1))
    word = (int(Kind.CANCEL), 1)

    taken = held.take_back([(Kind.CANCEL, 0, 1)])

    assert (taken.words, taken.packets, taken.calls) == ([word], 0, [])


def test_the_word_to_stop_and_a_call_of_which_nobody_waits_are_no_calls(held: HeldCalls) -> None:
    taken = held.take_back([(Kind.CALL, 1, 99), (Kind.STOP, 0, 0)])

    assert (taken.calls, taken.packets) == ([], 0)


def test_the_oldest_function_makes_room_and_its_memory_is_free_when_all_is_answered(
    held: HeldCalls, pipe: Pipe
) -> None:
    for seq in range(1, FUNCTIONS_MAX + 2):
        pipe.give(make_call(seq, Function(seq, "f", b"")))

    assert len(held.functions) == FUNCTIONS_MAX
    assert 1 not in held.functions
    assert held.take_loose() == [1001]
    assert held.take_loose() == []


def test_a_function_that_made_room_before_it_was_read_can_be_taken_back(
    held: HeldCalls, pipe: Pipe
) -> None:
    for seq in range(1, FUNCTIONS_MAX + 2):
        pipe.give(make_call(seq, Function(seq, "f", b"")))

    taken = held.take_back(pipe.rest(0))

    assert len(taken.calls) == FUNCTIONS_MAX + 1
    assert not held.functions
    # Its memory is still to be freed, and once.
    assert 1001 not in taken.offsets
    assert held.take_loose() == [1001]


def test_only_what_had_begun_is_lost(held: HeldCalls, pipe: Pipe) -> None:
    for call in (make_call(1), make_call(2), make_coroutine(3), make_coroutine(4)):
        pipe.give(call)
    held.note_begun(3, 1)
    # Answered meanwhile, or never one of its calls.
    held.note_begun(99, 1)

    assert held.lost(started=1) == {1, 3}
    assert held.lost(started=99) == {3}


@pytest.mark.parametrize(
    ("calls", "begun", "is_stalled", "must"),
    [
        ([], [], False, False),
        ([make_call(1)], [], False, False),
        ([make_call(1), make_call(2)], [], False, True),
        ([make_call(1, end=5)], [], False, True),
        ([make_coroutine(1)], [], False, True),
        ([make_coroutine(1), make_coroutine(2)], [1, 2], False, False),
        ([make_coroutine(1), make_coroutine(2)], [1, 2], True, True),
        ([make_coroutine(1), make_call(2)], [1], False, True),
    ],
)
def test_answers_are_looked_for_where_one_may_wait_behind_a_call(
    calls: Sequence[ProcessCall], begun: Sequence[int], is_stalled: bool, must: bool
) -> None:
    pipe = Pipe(HeldCalls(CHILD))
    for call in calls:
        pipe.give(call)
    for seq in begun:
        pipe.held.note_begun(seq, 1)
    pipe.held.note_stalled(is_stalled=is_stalled)

    assert pipe.held.must_be_peeked() == must


def test_an_answer_says_that_the_child_is_not_stalled(held: HeldCalls, pipe: Pipe) -> None:
    pipe.give(make_call(1))
    held.note_stalled(is_stalled=True)

    held.forget(1)

    assert not held.is_stalled


def test_a_bundle_is_counted_until_it_is_answered_or_taken_back(
    held: HeldCalls, pipe: Pipe
) -> None:
    pipe.give(make_call(1, end=3))
    pipe.give(make_call(2, end=3))

    held.take_back(pipe.rest(2))
    assert held.bundles == 1
    held.forget(1)
    assert held.bundles == 0
