"""Queue: items in order, bounded or not, each given to one getter; the machine of Queue and JoinableQueue.

Items are numbered as they are put, and lie in cells by number; the state says which numbers are where, as ranges.
Numbers in the queue only grow: putters that wait for room are served in order, and what comes back,
because its getter was lost or did not want it, has a smaller number than all that was never given.
So it is the first again.

    asked to put ──room──▶ ready ──get, acked──▶ gone
         │                  ▲ └──get, unacked──▶ given ──ack──▶ gone
    (time is up)            └──nack, session lost──┘

Shut down, as in Python 3.13: puts are refused, those that wait too; gets go on until it is empty. At once: it is
emptied, and what was in it counts as done. It is not empty while somebody works on what it was given and may yet come
back: else nobody would be there to get it. Whoever waits at the queue does not work on it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from lightwork.machines.callers import Callers
from lightwork.machines.ranges import Ranges, count_of, joined, split_at
from lightwork.machines.shapes import Answer, Ask, Caller, Cells, Event, Lost, Plain, Withdraw

SHUT_DOWN: Final = "shut down"
EMPTY: Final = "empty"
FULL: Final = "full"
TOO_MANY_DONE: Final = "too many done"
NOT_GIVEN: Final = "not given"


@dataclass(frozen=True, slots=True)
class Putter:
    """One who waits for room: how many items are in, and the numbers of the others."""

    caller: Caller
    count: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Getter:
    """One who waits for items: at most so many, and whether they are gone when they are given."""

    caller: Caller
    most: int
    acks: bool


@dataclass(frozen=True, slots=True)
class QueueState:
    """Which numbers are where, and who waits.

    Attributes:
        maxsize: At most so many are ready; 0 or less: any number.
        next: The number of the next item.
        ready: In the queue.
        given: The number of what was given and is not acked, and whom it was given to.
        putters: They wait only while there is no room.
        getters: They wait only while nothing is ready; if it is shut down, while others work on what was given.
        unfinished: Items that were put and are not done.
        joiners: They wait until nothing is unfinished.
        is_shut_down: Nothing more is put.
        is_emptied: What comes back is dropped.
    """

    maxsize: int = 0
    next: int = 0
    ready: Ranges = ()
    given: tuple[tuple[int, Caller], ...] = ()
    putters: tuple[Putter, ...] = ()
    getters: tuple[Getter, ...] = ()
    unfinished: int = 0
    joiners: Callers = ()
    is_shut_down: bool = False
    is_emptied: bool = False


Answered = tuple[QueueState, tuple[Answer, ...]]


class QueueMachine:
    """What can be asked.

    - put, try_put (items: a tuple of bytes): how many are in; a put whose time is up is answered with
      those that found room, a try_put puts what fits
    - get, try_get (most, acks): at least one (number, bytes), at most so many. If it acks, they are gone;
      else they are given until this session acks them, and come back if it is lost.
    - ack, nack (numbers); acked is done, nacked comes back
    - put_back (items as they were got): undoes a get that has acked
    - done (count); join
    - shutdown (is_immediate); size; state: (maxsize, size, unfinished, is_shut_down, how many are given)
    """

    kind = "queue"

    def begin(self, spec: tuple[Plain, ...]) -> QueueState:
        """Return an empty one; `spec` is (maxsize,)."""
        (maxsize,) = spec
        assert isinstance(maxsize, int)
        return QueueState(maxsize)

    def step(self, state: QueueState, cells: Cells, event: Event) -> Answered:
        """Return the state after an event, and whom it answers."""
        match event:
            case Ask(caller, "try_put" | "try_get" as verb, args):
                return self._try(state, cells, Ask(caller, verb.removeprefix("try_"), args))
            case Ask():
                after, answers = _asked(state, cells, event)
            case Withdraw(caller):
                after, answers = _withdraw(state, cells, lambda one: one == caller)
            case Lost(session):
                after, answers = _lose(state, cells, session)
        settled, more = _settle(after, cells)
        return settled, (*answers, *more)

    def _try(self, state: QueueState, cells: Cells, event: Ask) -> Answered:
        """Ask, and withdraw at once what is not answered."""
        asked, answers = self.step(state, cells, event)
        if any(answer.caller == event.caller for answer in answers):
            return asked, answers
        after, more = self.step(asked, cells, Withdraw(event.caller))
        refused = Answer(event.caller, refused=FULL if event.verb == "put" else EMPTY)
        return after, (*answers, *(more or (refused,)))


def filled(state: QueueState, cells: Cells, contents: Sequence[bytes], first: int) -> QueueState:
    """Return the state of one in which these lie ready, and what is numbered before `first` is gone."""
    stop = first + len(contents)
    for number, content in enumerate(contents, first):
        cells[_key(number)] = content
    return replace(state, next=stop, ready=joined((), (first, stop)))


def _asked(state: QueueState, cells: Cells, event: Ask) -> Answered:
    caller = event.caller
    match event.verb, event.args:
        case "put", (tuple(items),):
            return _put(state, cells, caller, items)
        case "get", (int(most), bool(acks)):
            getter = Getter(caller, most, acks)
            if state.ready:
                return _give(state, cells, getter)
            return replace(state, getters=(*state.getters, getter)), ()
        case "ack" | "nack", (tuple(numbers),):
            return _let_go(state, cells, event, frozenset(numbers))
        case "put_back", (tuple(items),):
            return _put_back(state, cells, items), (Answer(caller),)
        case "done", (int(count),):
            if count > state.unfinished:
                return state, (Answer(caller, refused=TOO_MANY_DONE),)
            return replace(state, unfinished=state.unfinished - count), (Answer(caller),)
        case "join", ():
            return replace(state, joiners=(*state.joiners, caller)), ()
        case "shutdown", (bool(is_immediate),):
            after = replace(state, is_shut_down=True)
            return _emptied(after, cells) if is_immediate else after, (Answer(caller),)
        case "size", ():
            return state, (Answer(caller, count_of(state.ready)),)
        case "state", ():
            return state, (Answer(caller, _told(state)),)
    raise AssertionError(f"a queue was asked for what it does not know: {event}")


def _told(state: QueueState) -> Plain:
    size, given = count_of(state.ready), len(state.given)
    return state.maxsize, size, state.unfinished, state.is_shut_down, given


def _put(state: QueueState, cells: Cells, caller: Caller, items: tuple[Plain, ...]) -> Answered:
    if not items:
        return state, (Answer(caller, 0),)
    stop = state.next + len(items)
    for number, item in zip(range(state.next, stop), items, strict=True):
        assert isinstance(item, bytes)
        cells[_key(number)] = item
    is_at_once = not state.putters and not state.is_shut_down
    if is_at_once and _room(state, len(items)) >= len(items):
        return _let_in(state, state.next, stop), (Answer(caller, len(items)),)
    putter = Putter(caller, 0, state.next, stop)
    return replace(state, next=stop, putters=(*state.putters, putter)), ()


def _put_back(state: QueueState, cells: Cells, items: tuple[Plain, ...]) -> QueueState:
    back = []
    for item in items:
        assert isinstance(item, tuple)
        number, content = item
        assert isinstance(number, int)
        assert isinstance(content, bytes)
        # A host may have to ask twice, when an answer does not arrive.
        if number < state.next and _key(number) not in cells:
            cells[_key(number)] = content
            back.append(number)
    return _returned(state, cells, back)


def _let_go(state: QueueState, cells: Cells, event: Ask, numbers: frozenset[Plain]) -> Answered:
    caller = event.caller
    owned = [number for number, holder in state.given if holder.session == caller.session]
    gone = [number for number in owned if number in numbers]
    if len(gone) < len(numbers):
        return state, (Answer(caller, refused=NOT_GIVEN),)
    if event.verb == "nack":
        return _returned(state, cells, gone), (Answer(caller),)
    return _dropped(_ungiven(state, gone), cells, gone), (Answer(caller),)


def _withdraw(state: QueueState, cells: Cells, is_gone: Callable[[Caller], bool]) -> Answered:
    gone = [putter for putter in state.putters if is_gone(putter.caller)]
    for putter in gone:
        _delete(cells, range(putter.start, putter.stop))
    after = replace(
        state,
        putters=tuple(putter for putter in state.putters if putter not in gone),
        getters=tuple(getter for getter in state.getters if not is_gone(getter.caller)),
        joiners=tuple(joiner for joiner in state.joiners if not is_gone(joiner)),
    )
    return after, tuple(Answer(putter.caller, putter.count) for putter in gone if putter.count)


def _lose(state: QueueState, cells: Cells, session: bytes) -> Answered:
    left, _ = _withdraw(state, cells, lambda one: one.session == session)
    lost = [number for number, holder in left.given if holder.session == session]
    return _returned(left, cells, lost), ()


def _returned(state: QueueState, cells: Cells, numbers: list[int]) -> QueueState:
    """Put them where they were, before all that was never given."""
    after = _ungiven(state, numbers)
    if state.is_emptied:
        return _dropped(after, cells, numbers)
    ready = joined(after.ready, *((number, number + 1) for number in numbers))
    return replace(after, ready=ready)


def _ungiven(state: QueueState, numbers: list[int]) -> QueueState:
    return replace(state, given=tuple(one for one in state.given if one[0] not in numbers))


def _emptied(state: QueueState, cells: Cells) -> QueueState:
    numbers = [number for start, stop in state.ready for number in range(start, stop)]
    return _dropped(replace(state, ready=(), is_emptied=True), cells, numbers)


def _dropped(state: QueueState, cells: Cells, numbers: list[int]) -> QueueState:
    """Forget what they were; they are done."""
    _delete(cells, numbers)
    # `done` may have been said of what was given, too.
    return replace(state, unfinished=max(0, state.unfinished - len(numbers)))


def _settle(state: QueueState, cells: Cells) -> Answered:
    """Serve all who need not wait any longer."""
    answers: list[Answer] = []
    if state.is_shut_down:
        state, refused = _refuse_putters(state, cells)
        answers += refused
    before = None
    while state is not before:
        before = state
        state, admitted = _admit_first(state)
        state, served = _serve_first(state, cells)
        answers += (*admitted, *served)
    if state.getters and _is_at_an_end(state):
        answers += (Answer(getter.caller, refused=SHUT_DOWN) for getter in state.getters)
        state = replace(state, getters=())
    if state.joiners and not state.unfinished:
        answers += map(Answer, state.joiners)
        state = replace(state, joiners=())
    return state, tuple(answers)


def _is_at_an_end(state: QueueState) -> bool:
    """Whether nothing is left for who waits, and nothing will come back."""
    if not state.is_shut_down or state.is_emptied:
        return state.is_shut_down
    waiting = {*state.joiners, *(getter.caller for getter in state.getters)}
    return all(holder in waiting for _, holder in state.given)


def _refuse_putters(state: QueueState, cells: Cells) -> Answered:
    """Refuse who waits for room; who found some for a part is told of that."""
    refused = tuple(
        Answer(one.caller, one.count) if one.count else Answer(one.caller, refused=SHUT_DOWN)
        for one in state.putters
    )
    after, _ = _withdraw(state, cells, lambda _: True)
    return replace(state, putters=after.putters), refused


def _admit_first(state: QueueState) -> Answered:
    """Let the first putter put what there is room for."""
    if not state.putters:
        return state, ()
    first, *others = state.putters
    end = min(first.stop, first.start + _room(state, first.stop - first.start))
    if end == first.start:
        return state, ()
    count = first.count + end - first.start
    let_in = _let_in(state, first.start, end)
    if end == first.stop:
        return replace(let_in, putters=tuple(others)), (Answer(first.caller, count),)
    left = Putter(first.caller, count, end, first.stop)
    return replace(let_in, putters=(left, *others)), ()


def _room(state: QueueState, wanted: int) -> int:
    return max(0, state.maxsize - count_of(state.ready)) if state.maxsize > 0 else wanted


def _let_in(state: QueueState, start: int, stop: int) -> QueueState:
    return replace(
        state,
        ready=joined(state.ready, (start, stop)),
        unfinished=state.unfinished + stop - start,
        next=max(state.next, stop),
    )


def _serve_first(state: QueueState, cells: Cells) -> Answered:
    """Give the first getter what it may have."""
    if not state.getters or not state.ready:
        return state, ()
    first, *others = state.getters
    after, answers = _give(state, cells, first)
    return replace(after, getters=tuple(others)), answers


def _give(state: QueueState, cells: Cells, getter: Getter) -> Answered:
    """Give what there is, at most as many as it wants."""
    numbers, ready = split_at(state.ready, getter.most)
    items = tuple((number, cells[_key(number)]) for number in numbers)
    given = state.given
    if getter.acks:
        _delete(cells, numbers)
    else:
        given = (*given, *((number, getter.caller) for number in numbers))
    return replace(state, ready=ready, given=given), (Answer(getter.caller, items),)


def _delete(cells: Cells, numbers: Iterable[int]) -> None:
    for number in numbers:
        del cells[_key(number)]


def _key(number: int) -> bytes:
    return number.to_bytes(8, "big")
