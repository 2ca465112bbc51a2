"""Feed: takes the items of one map and starts their calls, as many as there is room for.

    input ──take──> batch ──start──> running ──ends──> ready ──read──> mapping.py
          └───────────── at most the window ────┴───── (or to here) ─────┘

Of a *lazy* input (inputs.py) the window holds what was taken and not yet read, and
only who reads takes more: in its thread, which such an input may be bound to. An
input that runs *whole* is never waited for: its window holds what was taken and has
not ended, and each end of a call makes room for the next, in the thread in which
the call ended, read or not. So arguments are pickled as calls drain; results wait
until they are read, or go at once if nobody can read them any more.

Who does it: whoever has the *turn*. Calls end in many threads, also inside of
start_call, so nobody waits for the turn. Who does not get it leaves a word
(`_is_asked`) and goes; who has it looks for such words after giving it back.
The turn is an attribute that `dict.setdefault` sets: it is taken in one step, which
a Ctrl-C cannot part from knowing whose it is.
Events (a call has ended, a bundle was split) are applied in the order in which
they came, by who has the turn; so is everything else here that changes.

The reader only takes out of `ready`. A batch is put there before it leaves
`running`, and the end is noted after the last call was put into `running`: read in
the opposite order (`has_more`), nothing is ever overlooked.

Until its last call is started, a feed that runs whole keeps its executor
(open_maps.py); from then on it holds nothing of it. So it must end, whatever is
raised, also by a Ctrl-C in the main thread between any two steps: what changes several
fields is Uninterrupted and runs no code of the user, and an advance that was cut
short where nobody might come again is made again (`_advance_surely`).
"""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from itertools import chain
from os import cpu_count
from typing import Any, Final, NamedTuple

from lightwork.locks.uninterrupted import Uninterrupted, is_main_thread
from lightwork.pool.call.future import CancelMode
from lightwork.pool.call.options import Split
from lightwork.pool.map.batch_size import (
    BUNDLE_SECONDS,
    BUNDLED_SECONDS,
    SAMPLE,
    WINDOW_BYTES,
    approximate_size,
    auto_window,
    calls_in_flight,
    first_bundle,
    first_trial,
    limit_size,
    next_bundle,
    next_size,
    size_after_trial,
    take_count,
)
from lightwork.pool.map.batcher import Batcher, Started, sample_of, seconds_of
from lightwork.pool.map.bundle import Outcome
from lightwork.pool.map.inputs import Inputs, take_items
from lightwork.pool.map.open_maps import OpenMaps
from lightwork.pool.map.options import MapOptions
from lightwork.pool.map.pending_batch import PendingBatch
from lightwork.pool.map.results import Arrivals
from lightwork.pool.memory.control_block import PEEKING

# So few items of an input of known length are all submitted at the call, like
# the standard library does, where items that were not measured cannot travel together.
EAGER_ITEMS: Final = 1024
# To open the results of so many takes longer than to wake who does.
WORTH_WAKING: Final = 512


class _Split(NamedTuple):
    """Part of a bundle, which began with the item `origin`, was split."""

    origin: int
    split: Split


class Feed:
    """The items of one map on their way; see the module docstring.

    No slots: `_turn` is set through `__dict__`.

    Attributes:
        ready: Batches that have ended, by the position of their first item.
        arrived: Their positions as they came, for who does not want them in order.
        news: A word for the reader whenever it should look.
        taken: How many items were taken.
        yielded: How many were read; set by the reader.
        failure: Why items are left that will never be started.
    """

    # Of the advance that has the turn; see the module docstring.
    _turn: object = None

    def __init__(
        self,
        batcher: Batcher,
        inputs: Inputs,
        chunksize: int,
        options: MapOptions,
        maps: OpenMaps,
    ) -> None:
        self._batcher = batcher
        self._has_retries = batcher.has_retries
        self._source, self._length, self.is_whole, _ = inputs
        self._options = options
        # Nothing is gained by running ahead of who reads.
        self._is_step_by_step = not (self.is_whole or options.maps_ahead)
        self._maps = maps
        self._slots = options.slots or cpu_count() or 1
        # 0 means "auto".
        self._chunksize = chunksize
        self._size = chunksize or 1
        # Otherwise there is nothing to learn from how long items ran.
        self._is_sized_here = not chunksize or (chunksize == 1 and options.bundles)
        # Plain items of an input whose length is known go on trial first (trial.py).
        self._is_trying = False
        if self._is_sized_here and self.is_whole and options.bundles and PEEKING:
            # Where nobody could take back what waits behind a long item, the first ones go alone.
            self._is_trying = not chunksize
            first = first_trial if self._is_trying else first_bundle
            self._size = first(self._length, self._slots)
        # With more calls than this under way it is too early to look for room.
        self._enough = 0
        self._item_bytes = 0
        self._item_seconds = 0.0
        self._running: dict[int, PendingBatch] = {}
        self.ready: dict[int, PendingBatch] = {}
        self.arrived: deque[int] = deque()
        self.news: Arrivals[None] = Arrivals()
        self.taken = 0
        self.yielded = 0
        self._ended = 0
        self.failure: BaseException | None = None
        self._is_exhausted = False
        # Nothing more is to be started; and what was is not wanted either.
        self._is_stopped = False
        self._is_cancelled = False
        self._is_unread = False
        self._is_asked = False
        # Positions of batches that have ended. Not the batches: a future keeps its
        # callbacks, and the cycle would keep results.
        self._events: deque[int | _Split] = deque()

    # --- for any thread

    def advance(self) -> None:
        """Note what has ended and start what there is room for.

        May raise what the input raises, or the executor, where a lazy input is read.
        """
        self._is_asked = True
        me = object()
        while self._is_asked:
            try:
                if self.__dict__.setdefault("_turn", me) is not me:
                    return
                self._is_asked = False
                self._apply_events()
                if not self._is_stopped:
                    self._start_more()
                if self._is_stopped:
                    self._stop()
            finally:
                # No call: a Ctrl-C would come between it and giving the turn back.
                if self._turn is me:
                    del self._turn

    def cancel(self) -> None:
        """Take no more; cancel what has not begun."""
        self._is_cancelled = self._is_stopped = True
        self._advance_surely()

    def withdraw_rest(self) -> None:
        """Take no more; who reads gets CancelledError in the place of what is left."""
        self._is_stopped = True
        self._advance_surely()

    def forget_results(self) -> None:
        """Run the rest although nobody can read it any more."""
        self._is_unread = True
        self.ready.clear()

    # --- for the reader

    def has_more(self) -> bool:
        """Whether a batch is ready or will be."""
        return bool(not self._is_exhausted or self._running or self.ready)

    def is_under_way(self) -> bool:
        """Whether anything may still become ready."""
        return bool(not self._is_exhausted or self._running)

    @property
    def expected(self) -> int:
        """How many results there are in all, when nothing is under way any more."""
        return self._length if self.is_whole else self.taken

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing is left to start."""
        return self._is_exhausted or self.taken >= self._length

    @property
    def calls_unfinished(self) -> int:
        """How many calls run or wait to be run."""
        return len(self._running)

    # --- with the turn

    def _advance_surely(self) -> None:
        try:
            self.advance()
        except BaseException:
            # Perhaps nobody else comes any more.
            self.advance()
            raise

    def _apply_events(self) -> None:
        if not self._events:
            return
        with Uninterrupted():
            while self._events:
                event = self._events.popleft()
                if isinstance(event, _Split):
                    self._apply_split(*event)
                elif (batch := self._running.get(event)) is not None:
                    self._note_ended(batch)

    def _note_ended(self, batch: PendingBatch) -> None:
        self._ended += batch.size
        if batch.error() is None:
            # Only a hint; that it has ended must be noted.
            with suppress(Exception):
                self._learn(batch)
        if not self._is_unread:
            self.ready[batch.first] = batch
            if not self._options.ordered:
                self.arrived.append(batch.first)
        del self._running[batch.first]
        if self.is_whole:
            self._tell_reader(batch.size)

    def _tell_reader(self, items: int = 0) -> None:
        # Who wants all at once is woken once, or to open large batches while children work.
        if items >= WORTH_WAKING or not (self._options.at_once and self.is_under_way()):
            self.news.put(None)

    def _apply_split(self, origin: int, split: Split) -> None:
        batch = self._running.get(origin + split.first)
        if self._is_cancelled or batch is None:
            # What it was split from is cancelled, and perhaps forgotten, or a Ctrl-C came just when it was started,
            # and nobody knows of it: so is this.
            split.future.cancel(running=self._cancel_mode())
            return
        first = origin + split.at
        size = batch.first + batch.size - first
        batch.size -= size
        self._watch(PendingBatch(first, Started(split.future, size, batch.open)))

    def _learn(self, batch: PendingBatch) -> None:
        result = batch.future.result()
        seconds = seconds_of(result)
        if not seconds:
            return
        is_trial = type(result) is Outcome and result.items >= 0
        carried = BUNDLED_SECONDS if type(result) is Outcome and not is_trial else 0.0
        self._item_seconds = max(seconds / batch.size - carried, 1e-9)
        if not self._is_sized_here:
            return
        if self._chunksize:
            self._size = next_bundle(self._size, batch.size, seconds)
        else:
            if is_trial:
                self._size = size_after_trial(batch.size, seconds)
            else:
                self._size = next_size(self._size, batch.size, seconds)
            self._learn_bytes(sample_of(result))

    def _learn_bytes(self, values: Sequence[Any]) -> None:
        if sample := values[:SAMPLE]:
            size = sum(map(approximate_size, sample)) // len(sample)
            self._item_bytes = max(size, self._item_bytes // 2)

    def _start_more(self) -> None:
        if self.is_whole and len(self._running) > self._enough:
            return
        try:
            while not self._is_exhausted and (count := self._count_to_take()):
                source = self._source
                items = take_items(source, count)
                if items:
                    self._learn_bytes(items)
                    self._start_all(items)
                is_end = len(items) < count and self._source is source
                if is_end or (self.is_whole and self.taken >= self._length):
                    self._let_go()
        except BaseException as error:
            if not self.is_whole:
                raise
            # Perhaps in a thread of the pool: whoever reads is told, always, since items
            # were taken that nobody will start.
            self._let_go(error)
            if issubclass(type(error), KeyboardInterrupt) and is_main_thread():
                raise

    def _count_to_take(self) -> int:
        window = self._options.buffersize or (1 if self._is_step_by_step else self._auto_window())
        size = self._size
        if self._is_sized_here:
            size = limit_size(
                size,
                slots=self._slots,
                window=window,
                item_bytes=self._item_bytes,
                item_seconds=self._item_seconds,
                remaining=self._length - self.taken,
            )
        most = calls_in_flight(self._slots, size, self._seconds_of_given_size())
        if size > 1 and not self._item_seconds and self._is_sized_here:
            # The first of them tell how the others go.
            most = self._slots
        self._enough = most * 3 // 4
        if len(self._running) >= most and not self._is_eager():
            return 0
        room = window - (self.taken - (self._ended if self.is_whole else self.yielded))
        is_idle = not self._running and (self.is_whole or not self.ready)
        return take_count(size, room, is_idle=is_idle)

    def _auto_window(self) -> int:
        window = auto_window(
            self._slots, self._size, self._item_bytes, self._seconds_of_given_size()
        )
        # One more: only asking for an item that is not there shows that all were taken.
        return max(window, self._length + 1) if self._is_eager() else window

    def _seconds_of_given_size(self) -> float:
        """Return how long an item takes if chunks cannot grow: then short ones must be many."""
        return self._item_seconds if self._chunksize else 0.0

    def _is_eager(self) -> bool:
        few = self._length <= EAGER_ITEMS and self._options.buffersize is None
        if self._is_step_by_step or (self._is_sized_here and self._options.bundles):
            return False
        return few and self._length * self._item_bytes <= WINDOW_BYTES

    def _start_all(self, items: Sequence[Any]) -> None:
        while items and not self._is_stopped:
            first = self.taken
            try:
                started = self._start(items)
            except RuntimeError as error:
                error.add_note(
                    f"map had taken {first} items; it takes them as its results are used: "
                    "use the results before the executor is shut down"
                )
                raise
            if started is None:
                self._put_back(items)
                return
            with Uninterrupted():
                self.taken += started.size
                self._watch(PendingBatch(first, started))
            items = items[started.size :]

    def _put_back(self, items: Sequence[Any]) -> None:
        """Let items that cannot go in a trial be taken again, few at first."""
        self._is_trying = False
        self._size = first_bundle(self._length, self._slots)
        self._source = chain(items, self._source)

    def _start(self, items: Sequence[Any]) -> Started | None:
        """Start the first of them, or all; None: these need other calls than were thought of."""
        if self._travels_in_bundles(len(items)):
            first = self.taken
            start = self._batcher.trial if self._goes_on_trial() else self._batcher.bundle
            return start(items, lambda split: self._tell(_Split(first, split)))
        if self._chunksize == 1:
            return self._batcher.single(items, self.taken)
        return self._batcher.chunk(items)

    def _goes_on_trial(self) -> bool:
        return self._is_trying and not self._item_seconds

    def _travels_in_bundles(self, count: int) -> bool:
        if not self._options.bundles or self._chunksize:
            return self._options.bundles and self._chunksize == 1
        return self._item_seconds > BUNDLE_SECONDS or (not self._item_seconds and count > 1)

    def _watch(self, batch: PendingBatch) -> None:
        first = batch.first
        self._running[first] = batch
        batch.future.add_done_callback(lambda _: self._tell(first))

    def _tell(self, event: int | _Split) -> None:
        self._events.append(event)
        if self.is_whole or self._is_cancelled:
            self._advance_surely()
        else:
            # Who reads applies it, where more may be taken.
            self.news.put(None)

    # --- the end

    def _let_go(self, failure: BaseException | None = None) -> None:
        """Let the executor end: nothing is left to start, or nothing will be."""
        # It may be a generator of the user, which ends when it is let go: not in there.
        source = self._source
        with Uninterrupted():
            self.failure = failure
            self._is_exhausted = True
            self._batcher.close()
            self._source = iter(())
            self._maps.remove(self)
            self._tell_reader()
        del source

    def _stop(self) -> None:
        if not self._is_exhausted:
            self._let_go(CancelledError("the executor was shut down with cancel_futures=True"))
        if self._is_cancelled:
            mode = self._cancel_mode()
            for batch in list(self._running.values()):
                batch.future.cancel(running=mode)
            self._running.clear()
            self.ready.clear()

    def _cancel_mode(self) -> CancelMode:
        # A call that runs is not run again for nobody.
        return "ask" if self._has_retries else "no"
