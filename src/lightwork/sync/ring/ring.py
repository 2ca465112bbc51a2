"""Ring: what a put and a get do to the words and bytes, under the lock of their side.

Decides and stores, and knows neither locks nor sleep. Every step ends in one store that makes it true (`_commit_put`,
`_commit_get`), just before which it looks at MODE: a function of a signal, or a finalizer, may have moved the queue in the
middle of it, in this very thread.
"""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Protocol

from lightwork.errors import UsageError
from lightwork.sync.ring.layout import (
    EMPTIED,
    FLAGS,
    FREED,
    FREEING,
    GET_SEQ,
    GET_SLOTS,
    GET_WORDS,
    HEADER,
    MODE,
    MOST,
    MOVED,
    PUT_SEQ,
    PUT_SLOTS,
    PUT_WORDS,
    SHUT,
    STRIDE,
    Words,
    number,
    one,
)

_ALL: Final = 1 << 62


class MovedError(Exception):
    """The queue lives in the broker's machine."""


class Data(Protocol):
    """The bytes of a ring, its header too: a map, or in tests an array."""

    def __getitem__(self, part: slice, /) -> bytes: ...
    def __setitem__(self, part: slice, data: bytes, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """A ring at one moment: items that are in it, that are not done, and whether it is shut down."""

    size: int
    unfinished: int
    is_shut_down: bool


# What was got: the number of the first, the contents, and where the ring stood before and after, as (head, index).
Taken = tuple[int, list[bytes], tuple[int, int], tuple[int, int]]
NOTHING: Final[Taken] = (0, [], (0, 0), (0, 0))


class Ring:
    """The steps.

    Args:
        words: The header, eight bytes each.
        data: All of it.
        size: Of the data: a power of two.
        give_back: Let the system have (start, length) of `data`.
    """

    __slots__ = ("_give_back", "_mask", "data", "size", "words")

    def __init__(
        self,
        words: Words,
        data: Data,
        size: int,
        give_back: Callable[[int, int], object],
    ) -> None:
        self.words, self.data, self.size = words, data, size
        self._mask = size - 1
        self._give_back = give_back

    # What is read without a lock is read again until nobody has changed it meanwhile.

    def put_state(self) -> tuple[int, int]:
        """Return tail and puts."""
        words = self.words
        while True:
            seq = words[PUT_SEQ]
            at = PUT_SLOTS + PUT_WORDS * (seq & 1)
            tail, puts = words[at], words[at + 1]
            if words[PUT_SEQ] == seq:
                return tail, puts

    def get_state(self) -> tuple[int, int, int, int]:
        """Return head, the index of the next item in the record there, gets and done."""
        words = self.words
        while True:
            seq = words[GET_SEQ]
            at = GET_SLOTS + GET_WORDS * (seq & 1)
            head, index, gets, done = words[at], words[at + 1], words[at + 2], words[at + 3]
            if words[GET_SEQ] == seq:
                return head, index, gets, done

    def look(self) -> Seen:
        """Return what is in it."""
        while True:
            seq = self.words[GET_SEQ]
            flags = self.words[FLAGS]
            _, puts = self.put_state()
            _, _, gets, done = self.get_state()
            if self.words[GET_SEQ] == seq and self.words[FLAGS] == flags:
                break
        size, unfinished = puts - gets, puts - done
        if flags & EMPTIED:
            size, unfinished = 0, max(0, unfinished - size)
        return Seen(size, unfinished, bool(flags & SHUT))

    # With the lock of those who put.

    def put(self, items: Sequence[bytes], maxsize: int) -> int:
        """Put as many as there is room for, as one record; return how many, -1: it is shut down.

        Raises:
            MovedError: It is not here any more.
            UsageError: They are too large.
        """
        words = self.words
        if words[FLAGS]:
            return self._nothing(-1)
        seq = words[PUT_SEQ]
        at = PUT_SLOTS + PUT_WORDS * (seq & 1)
        tail, puts = words[at], words[at + 1]
        count = len(items)
        if maxsize > 0:
            room = maxsize - puts + self.get_state()[2]
            if room <= 0:
                return self._nothing(0)
            if count > room:
                items, count = items[:room], room
        record = _record(items)
        length = (len(record) + 7) & ~7
        start = tail & self._mask
        skipped = self.size - start if start + length > self.size else 0
        if tail + skipped + length - words[FREED] > self.size:
            return self._nothing(0)
        data = self.data
        if skipped:
            data[HEADER + start : HEADER + start + one.size] = one.pack(0, 0)
            start = 0
        data[HEADER + start : HEADER + start + len(record)] = record
        at = PUT_SLOTS + PUT_WORDS * ((seq + 1) & 1)
        words[at] = tail + skipped + length
        words[at + 1] = puts + count
        if words[MODE]:
            raise MovedError
        words[PUT_SEQ] = seq + 1
        return count

    def _nothing(self, answer: int) -> int:
        if self.words[MODE]:
            raise MovedError
        return answer

    # With the lock of those who get.

    def take(self, most: int) -> Taken:
        """Take at most so many from its front; none: it is empty.

        Raises:
            MovedError: It is not here any more.
        """
        words = self.words
        seq = words[GET_SEQ]
        at = GET_SLOTS + GET_WORDS * (seq & 1)
        head, index = before = words[at], words[at + 1]
        gets, done = words[at + 2], words[at + 3]
        # As `put_state`, without a call: this is half of what a get costs.
        put_seq = -1
        while put_seq != words[PUT_SEQ]:
            put_seq = words[PUT_SEQ]
            tail = words[PUT_SLOTS + PUT_WORDS * (put_seq & 1)]
        if head - words[FREED] >= 2 * STRIDE:
            self._free(head)
        contents: list[bytes] = []
        if words[FLAGS] & EMPTIED:
            _, puts = self.put_state()
            if gets < puts:
                self._empty(seq, tail, puts)
        else:
            while head < tail and len(contents) < most:
                head, index = self._take_from(head, index, most, contents)
        if not contents:
            self._check_here()
            return NOTHING
        taken = (gets, contents, before, (head, index))
        at = GET_SLOTS + GET_WORDS * ((seq + 1) & 1)
        words[at] = head
        words[at + 1] = index
        words[at + 2] = gets + len(contents)
        words[at + 3] = done
        if words[MODE]:
            raise MovedError
        # From here to where the caller has it no function is called: a Ctrl-C finds no place to come.
        words[GET_SEQ] = seq + 1
        return taken

    def _take_from(
        self, head: int, index: int, most: int, contents: list[bytes]
    ) -> tuple[int, int]:
        """Read items of the record at the head; return where the next one is."""
        data = self.data
        at = HEADER + (head & self._mask)
        count, end = one.unpack(data[at : at + one.size])
        at += one.size
        if count == 1:
            contents.append(data[at : at + end])
            return head + ((one.size + end + 7) & ~7), 0
        if not count:
            # The rest of the ring had no room for the record: it is at its beginning.
            return (head | self._mask) + 1, 0
        at -= number.size
        stop = min(count, index + most - len(contents))
        ends = array("I", data[at + number.size * index : at + number.size * stop])
        begin = 0
        if index:
            where = at + number.size * (index - 1)
            (begin,) = number.unpack(data[where : where + number.size])
        base = at + number.size * count
        content = data[base + begin : base + ends[-1]]
        if begin:
            ends = array("I", [end - begin for end in ends])
        starts = [0, *ends]
        contents += [content[a:b] for a, b in zip(starts, ends, strict=False)]
        if stop < count:
            return head, stop
        return head + ((number.size * (1 + count) + begin + ends[-1] + 7) & ~7), 0

    def _commit_get(self, seq: int, head: int, index: int, gets: int, done: int) -> None:
        words = self.words
        at = GET_SLOTS + GET_WORDS * ((seq + 1) & 1)
        words[at] = head
        words[at + 1] = index
        words[at + 2] = gets
        words[at + 3] = done
        self._check_here()
        words[GET_SEQ] = seq + 1

    def _empty(self, seq: int, tail: int, puts: int) -> None:
        _, _, gets, done = self.get_state()
        self._commit_get(seq, tail, 0, puts, min(puts, done + puts - gets))

    def put_back(self, taken: Taken) -> bool:
        """Undo a `take` after which nobody else took anything; return whether it could be undone."""
        first, contents, before, after = taken
        head, index, gets, done = self.get_state()
        seq = self.words[GET_SEQ]
        if self.words[FLAGS] & EMPTIED:
            # What comes back to a queue that was emptied is done.
            _, puts = self.put_state()
            self._commit_get(seq, head, index, gets, min(puts, done + len(contents)))
            return True
        is_last = (head, index) == after and gets == first + len(contents)
        if not is_last or before[0] < self.words[FREEING]:
            return False
        self._commit_get(seq, *before, first, done)
        return True

    def done(self, count: int) -> bool:
        """Count items as done; return whether there are so many that are not."""
        head, index, gets, done = self.get_state()
        if count > self.look().unfinished:
            return False
        self._commit_get(self.words[GET_SEQ], head, index, gets, done + count)
        return True

    def _free(self, head: int) -> None:
        """Give back what lies before the head, in whole strides."""
        words = self.words
        freed, end = words[FREED], head // STRIDE * STRIDE
        # No `put_back` goes before this; and no putter comes round before it is done. Of who is killed in
        # between the next one does it again.
        words[FREEING] = end
        start, stop = freed & self._mask, end & self._mask
        if start < stop:
            self._give_back(HEADER + start, stop - start)
        else:
            self._give_back(HEADER + start, self.size - start)
            if stop:
                self._give_back(HEADER, stop)
        words[FREED] = end

    # With both locks.

    def shut_down(self, *, is_immediate: bool) -> None:
        """Let nothing more be put; at once: what is in it is void, and done."""
        self._check_here()
        self.words[FLAGS] |= SHUT | (EMPTIED if is_immediate else 0)
        if self.words[FLAGS] & EMPTIED:
            # Whoever dies here has emptied it all the same: see `take` and `look`.
            tail, puts = self.put_state()
            if self.get_state()[2] < puts:
                self._empty(self.words[GET_SEQ], tail, puts)

    def move(self) -> None:
        """Let nothing more happen here: what is in it is the broker's to take over."""
        self.words[MODE] = MOVED

    # When it was moved.

    def rest(self) -> list[bytes]:
        """Return what is in it."""
        head, index, _, _ = self.get_state()
        tail, _ = self.put_state()
        contents: list[bytes] = []
        if not self.words[FLAGS] & EMPTIED:
            while head < tail:
                head, index = self._take_from(head, index, _ALL, contents)
        return contents

    def _check_here(self) -> None:
        if self.words[MODE]:
            raise MovedError


def _record(items: Sequence[bytes]) -> bytes:
    if len(items) == 1:
        (item,) = items
        if len(item) <= MOST:
            return one.pack(1, len(item)) + item
    size = sum(map(len, items))
    if size > MOST:
        raise UsageError(f"expected at most {MOST} bytes at once, seen {size}")
    ends = array("I", accumulate(map(len, items)))
    return b"".join((number.pack(len(items)), ends.tobytes(), *items))
