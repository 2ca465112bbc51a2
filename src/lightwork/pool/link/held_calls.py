"""Held calls: what one child was given and has not answered. Pure: no pipe, no memory, no clock.

A call is added when its packet is staged, and leaves in one of two ways:

    forget       answered, or lost with the child
    take_back    its packet was never written, or was read back from the pipe

The packets say what is taken back, since the child may have taken any number of the first
ones: they are always the last of all that were sent. With them goes what they have used: the
link frees their extents, and lets the ring of the inbox be written again from where the
oldest of them began. A function that was sent for a call that is taken back may have been
read by the child all the same; then it stays known, and its bytes stay where they are.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from lightwork.pool.link.process_call import ProcessCall
from lightwork.pool.memory.argument_arena import Extent
from lightwork.pool.memory.sending import must_be_peeked
from lightwork.pool.wire.frames import Kind

# Functions that a child remembers; beyond, the oldest makes room.
FUNCTIONS_MAX: Final = 512


class TakenBack(NamedTuple):
    """What came back with packets that the child will not read.

    Attributes:
        calls: Those that the child has not begun, oldest first.
        packets: How many packets there are less than were counted.
        offsets: Extents of the inbox that are free now, and offsets in its ring.
        ring_start: From where the ring may be written again; -1: as before.
        words: Kind and number of each packet about a call that the child keeps: to be sent again.
    """

    calls: list[ProcessCall]
    packets: int
    offsets: list[int]
    ring_start: int
    words: list[tuple[int, int]]


class HeldCalls:
    """The calls of one child, and what it remembers and looks at for them."""

    def __init__(self, child: int) -> None:
        self._child = child
        self.calls: dict[int, ProcessCall] = {}
        # Those of `calls` that run on the child's event loop, and when they have
        # begun there, as far as it is known, in monotonic nanoseconds.
        self.coroutines: dict[int, ProcessCall] = {}
        self.begun: dict[int, int] = {}
        # How long the calls are expected to take, and the size of their arguments.
        self.seconds = 0.0
        self.bytes = 0
        # How many of the calls are bundles.
        self.bundles = 0
        self.sent_total = 0
        # One of the calls turned out to be long: until the child answers it gets nothing more.
        self.is_stalled = False
        # By number: the extent that holds the function, or an offset that is none.
        self.functions: dict[int, int] = {}
        # Extents of functions that the child has been told to forget.
        self._loose: list[int] = []
        # By number of call or reference: large values that the child may still look at.
        self._looked_at: dict[int, Extent] = {}
        self._staged: list[bytes] = []

    # --- giving

    def function_to_replace(self) -> int:
        """Return the function that makes room for another one; 0: there is room."""
        return next(iter(self.functions)) if len(self.functions) >= FUNCTIONS_MAX else 0

    def add_function(self, number: int, offset: int, packet: bytes, *, replaced: int) -> None:
        """Note that the packet, which the next flush sends, tells the child of a function."""
        if replaced:
            self._loose.append(self.functions.pop(replaced))
        self.functions[number] = offset
        self._staged.append(packet)

    def add(self, call: ProcessCall, packet: bytes) -> None:
        """Note that the packet, which the next flush sends, gives the child a call."""
        self._staged.append(packet)
        function = call.function
        call.child = self._child
        # A coroutine has no duration here: its child is free while it waits.
        call.seconds = seconds = max(0.0, function.seconds)
        self.calls[call.seq] = call
        if function.is_async:
            self.coroutines[call.seq] = call
        if call.end:
            self.bundles += 1
        self.seconds += seconds
        self.bytes += len(call.body)
        self.sent_total += 1

    def take_staged(self) -> list[bytes]:
        """Return the packets that are to be written now."""
        staged, self._staged = self._staged, []
        return staged

    # --- answers

    def forget(self, seq: int) -> ProcessCall | None:
        """Take a call off the table: answered or lost. None: it is not there any more."""
        self.is_stalled = False
        call = self.calls.get(seq)
        if call is not None:
            self._drop(call)
            if call.extent is not None:
                self._looked_at[seq] = call.extent
            for ref in call.refs:
                self._looked_at[ref.number] = ref.extent
        return call

    def note_begun(self, seq: int, begun_ns: int) -> None:
        """The child's loop has begun a coroutine call."""
        if seq in self.coroutines:
            self.begun[seq] = begun_ns

    def note_stalled(self, *, is_stalled: bool) -> None:
        """Whether the child has been at one call for long; an answer says that it is not."""
        self.is_stalled = is_stalled

    def let_go(self, seq: int) -> None:
        """The child does not look at the arguments of this call, or at this reference, any more."""
        self._looked_at.pop(seq, None)

    def let_go_of_all(self) -> None:
        """The child is gone."""
        self._looked_at.clear()

    def take_loose(self) -> list[int]:
        """Return extents of functions that the child, which has answered all, will not read."""
        loose, self._loose = self._loose, []
        return loose

    def lost(self, started: int) -> set[int]:
        """Return the calls that had begun when the child died while it was at this one."""
        return {*self.begun, started} & self.calls.keys()

    def must_be_peeked(self) -> bool:
        """Whether an answer may wait in shared memory that no pipe will announce soon."""
        if self.coroutines:
            # Those that have begun keep nothing waiting: their loop sends before it sleeps.
            return self.is_stalled or len(self.calls) > len(self.begun)
        return must_be_peeked(len(self.calls), self.bundles)

    # --- taking back

    def take_back(self, packets: Iterable[tuple[int, int, int]]) -> TakenBack:
        """Undo what these packets, the last ones of all, would have told the child.

        Args:
            packets: Kind, number of the function and number of the call of each; see read_packets.
        """
        calls: list[ProcessCall] = []
        offsets: list[int] = []
        words: list[tuple[int, int]] = []
        functions = 0
        ring_start = -1
        for kind, function, seq in packets:
            if kind == Kind.FUNCTION:
                functions += 1
                # Not known: another one has made it leave, and its memory is free when all is answered.
                offsets.append(self.functions.pop(function, -1))
            elif kind in (Kind.ASK, Kind.CANCEL):
                words.append((kind, seq))
            elif (call := self.calls.get(seq)) is not None:
                if not calls:
                    # Its function may have been read although the call was not.
                    ring_start = call.ring_start if functions else call.body_start
                calls.append(call)
                offsets.append(call.inbox_offset)
                self._drop(call)
                self.sent_total -= 1
        return TakenBack(calls, functions + len(calls), offsets, ring_start, words)

    def _drop(self, call: ProcessCall) -> None:
        del self.calls[call.seq]
        if self.coroutines:
            self.coroutines.pop(call.seq, None)
            self.begun.pop(call.seq, None)
        call.child = 0
        if call.end:
            self.bundles -= 1
        self.bytes -= len(call.body)
        # Sums of floats drift; an empty table is exactly zero.
        self.seconds = self.seconds - call.seconds if self.calls else 0.0
