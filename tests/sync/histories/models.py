"""Models: what locks, queues, dicts and values do if they are asked one after the other.

Written from what users are told, and not from lightwork's machines. Each takes a state and an operation, and
returns the state after it; None: it may not be done now, or not with this answer.

What a process holds is known by the operation that got it (`ref`). Two things happen that nobody asks for: `lost`, to what was
held by whom the host has given up, and `reset`, to all that lived in a broker that was killed.
"""

from collections.abc import Hashable
from typing import Any, Final, NamedTuple

from sync.histories.linearizable import UNKNOWN, Operation, Step
from sync.histories.queue_model import LOST, SHUT_DOWN, Queue, queue_of


def is_read(verb: str, answer: object) -> bool:
    """Whether what was answered so has changed nothing: a refusal, nothing to get, a look."""
    # A get that took an item from a queue is none: its state is another one after it.
    return answer in (None, False, LOST, SHUT_DOWN) or verb in {"get", "size", "join"}


class Lock(NamedTuple):
    """Whose it is, the greatest token so far, and whether the last holder was lost with it."""

    holder: str = ""
    token: int = 0
    is_inherited: bool = False


def lock(state: Lock, one: Operation) -> Hashable:
    """Acquire -> (token, inherited) or False; release (ref) -> True or LOST; lost (ref)."""
    match one.verb:
        case "acquire" if one.answer is False:
            return state if state.holder else None
        case "acquire":
            return _granted(state, one)
        case "release" if one.answer == LOST:
            return state
        case "release" | "lost" if state.holder == one.args[0]:
            return Lock("", state.token, one.verb == "lost")
    return None


def _granted(state: Lock, one: Operation) -> Lock | None:
    if state.holder:
        return None
    if one.answer == UNKNOWN:
        return Lock(one.id, state.token)
    token, is_inherited = one.answer
    if token <= state.token or is_inherited != state.is_inherited:
        return None
    return Lock(one.id, token)


class Entry(NamedTuple):
    """What a key of a dict, or a Value, has; None: there is no such key."""

    value: int | None = None


def entry(state: Entry, one: Operation) -> Hashable:
    """Get, pop -> value or None; set (value); add (value) -> the value that is there now; swap (old, new),
    delete -> whether it was done; clear; reset.
    """
    answer, after = _changed(state.value, one.verb, one.args)
    return Entry(after) if one.answer in {answer, UNKNOWN} else None


def _changed(value: int | None, verb: str, args: tuple[Any, ...]) -> tuple[Any, int | None]:
    """Return the answer, and the value after it."""
    match verb:
        case "get":
            return value, value
        case "set":
            return True, args[0]
        case "add":
            now = args[0] if value is None else value
            return now, now
        case "swap":
            is_due = value is not None and value == args[0]
            return is_due, args[1] if is_due else value
        case "delete":
            return value is not None, None
        case "pop":
            return value, None
        case "clear" | "reset":
            return True, None
    raise AssertionError(verb)


# By key: the model, and the state in which it begins. Of queues that are shut down there are as many as come to their end.
MODELS: Final[dict[str, tuple[Step, Hashable]]] = {
    "lock": (lock, Lock()),
    "queue": (queue_of(0), Queue()),
    "bounded": (queue_of(2), Queue()),
    "ring": (queue_of(0), Queue()),
    "small ring": (queue_of(3), Queue()),
    "dict a": (entry, Entry()),
    "dict b": (entry, Entry()),
    "value": (entry, Entry(0)),
    "value without lock": (entry, Entry(0)),
}
_SHORT: Final = (queue_of(3), Queue())


def model_of(key: str) -> tuple[Step, Hashable]:
    """Return the model of a key, and the state in which it begins."""
    return _SHORT if key.startswith("short") else MODELS[key]


def lives_in_broker(key: str) -> bool:
    """Whether it is gone with a broker that is killed; locks and values live in the arena."""
    return not key.startswith(("lock", "value"))
