"""Queue model: what a queue does if it is asked one thing after the other; see models.py.

Many at once are taken apart where they are read (many.py): a put_many is its puts, one after the other and with others between
them; a get_many of which nothing is known is as many gets of which nothing is known.
"""

from collections.abc import Hashable
from typing import Final, NamedTuple

from sync.histories.linearizable import UNKNOWN, Operation, Step

# What a release or ack is told by whoever has lost what it held.
LOST: Final = "lost"
# What is told of a queue to which nothing is put any more, and nothing is left in it.
SHUT_DOWN: Final = "shut down"


class Lent(NamedTuple):
    """What somebody works on; `is_told`: who has it knows that."""

    ref: str
    number: int
    item: str
    is_told: bool


class Queue(NamedTuple):
    """The whole of it.

    Attributes:
        last: The number of the last that was put.
        ready: What is in it: (number, item).
        lent: What comes back if nobody acks it.
        puts: Of each put_many that has begun: (id, how many are in).
        unfinished: Those put and not done.
        is_shut_down: Nothing more is put.
        is_emptied: What comes back is dropped.
    """

    last: int = 0
    ready: tuple[tuple[int, str], ...] = ()
    lent: frozenset[Lent] = frozenset()
    puts: frozenset[tuple[str, int]] = frozenset()
    unfinished: int = 0
    is_shut_down: bool = False
    is_emptied: bool = False


def queue_of(maxsize: int) -> Step:
    """Return the model of a queue in which at most so many wait; 0: any number.

    put (item) -> whether there was room, or SHUT_DOWN; put (item, id of the put_many, which of its items, of how many);
    rest (id, how many are in): nothing more of it is put; get, lend -> the item or the items, None, or SHUT_DOWN;
    ack, nack (*refs) -> True or LOST; done -> whether that many were put; join -> whether all are done; size;
    shut (is_immediate); lost (ref); reset.
    """

    def step(state: Queue, one: Operation) -> Hashable:
        match one.verb:
            case "put" | "rest":
                return _put(state, one, is_full=0 < maxsize <= len(state.ready))
            case "get" | "lend":
                return _taken(state, one)
            case "ack" | "nack" if one.answer == LOST:
                return state
            case "ack" | "nack" | "lost":
                return _settled(state, one)
            case "shut":
                return _shut(state, is_immediate=one.args[0])
            case "reset":
                return Queue()
        return _counted(state, one)

    return step


def _put(state: Queue, one: Operation, *, is_full: bool) -> Queue | None:
    if one.verb == "rest":
        is_next = one.args in state.puts
        after = state._replace(puts=state.puts - {one.args})
        return after if is_next and (is_full or state.is_shut_down) else None
    item, *of = one.args
    if one.answer == SHUT_DOWN:
        return state if state.is_shut_down else None
    if one.answer is False:
        return state if is_full and not state.is_shut_down else None
    if is_full or state.is_shut_down:
        return None
    puts = state.puts
    if of:
        of_many, place, count = of
        before = (of_many, place)
        if place and before not in puts:
            return None
        puts = puts - {before} | ({(of_many, place + 1)} if place + 1 < count else frozenset())
    last = state.last + 1
    ready = (*state.ready, (last, item))
    return state._replace(last=last, ready=ready, puts=puts, unfinished=state.unfinished + 1)


def _taken(state: Queue, one: Operation) -> Queue | None:
    if one.answer is None:
        return None if state.ready or _is_over(state) else state
    if one.answer == SHUT_DOWN:
        # Whoever has something, and was not told, may ask for more himself: then nobody is left to bring it back.
        is_over = state.is_shut_down and not any(lent.is_told for lent in state.lent)
        return state if not state.ready and (is_over or _is_over(state)) else None
    is_many = isinstance(one.answer, tuple)
    items = one.answer if is_many else (one.answer,)
    taken, ready = state.ready[: len(items)], state.ready[len(items) :]
    if len(taken) < len(items) or (
        one.answer != UNKNOWN and items != tuple(item for _, item in taken)
    ):
        return None
    after = state._replace(ready=ready)
    if one.verb == "get":
        return after
    refs = refs_of(one.id, len(items)) if is_many else (one.id,)
    is_told = one.answer != UNKNOWN
    lent = {Lent(ref, *pair, is_told) for ref, pair in zip(refs, taken, strict=True)}
    return after._replace(lent=state.lent | lent)


def refs_of(one: str, count: int) -> tuple[str, ...]:
    """Return what those that were lent at once are known by."""
    return tuple(f"{one}.{place}" for place in range(count))


def _is_over(state: Queue) -> bool:
    """Whether nothing is in it and nothing will be."""
    return state.is_shut_down and not state.ready and (state.is_emptied or not state.lent)


def _settled(state: Queue, one: Operation) -> Queue | None:
    """Ack, nack or lose: all that are named, or none."""
    let_go = {lent for lent in state.lent if lent.ref in one.args}
    if len(let_go) < len(one.args):
        return None
    left = state._replace(lent=state.lent - let_go)
    if one.verb == "ack" or state.is_emptied:
        return left._replace(unfinished=max(0, left.unfinished - len(let_go)))
    # First again: before all that was put later.
    back = [(lent.number, lent.item) for lent in let_go]
    return left._replace(ready=tuple(sorted((*left.ready, *back))))


def _shut(state: Queue, *, is_immediate: bool) -> Queue:
    if not is_immediate:
        return state._replace(is_shut_down=True)
    unfinished = max(0, state.unfinished - len(state.ready))
    return state._replace(is_shut_down=True, is_emptied=True, ready=(), unfinished=unfinished)


def _counted(state: Queue, one: Operation) -> Queue | None:
    match one.verb:
        case "size":
            return state if one.answer in {len(state.ready), UNKNOWN} else None
        case "join":
            return state if one.answer in {state.unfinished == 0, UNKNOWN} else None
        case "done" if one.answer is False:
            return state if state.unfinished == 0 else None
        case "done":
            return state._replace(unfinished=state.unfinished - 1) if state.unfinished else None
    raise AssertionError(one)
