"""Many: what was asked for several items at once, as the operations that models know; see queue_model.py."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from sync.histories.linearizable import UNKNOWN, Operation
from sync.histories.queue_model import refs_of

_SINGLE: Final = {"get_many": "get", "lend_many": "lend", "put_many": "put"}


def taken_apart(one: Operation) -> Iterator[Operation]:
    """Yield what a question for many is made of; of another one itself.

    put_many (items) -> how many are in, False if none, or SHUT_DOWN; get_many, lend_many (how many) -> those that were
    there, None, or SHUT_DOWN.
    """
    verb = _SINGLE.get(one.verb)
    if verb is None:
        yield one
    elif verb == "put":
        yield from _puts(one)
    elif one.answer == UNKNOWN:
        for ref in refs_of(one.id, one.args[0]):
            yield replace(one, id=ref, verb=verb)
    else:
        yield replace(one, verb=verb)


def _puts(one: Operation) -> Iterator[Operation]:
    (items,) = one.args
    is_refused = one.is_read
    if is_refused:
        yield replace(one, verb="put", args=(items[0],))
        return
    count = len(items) if one.answer == UNKNOWN else one.answer
    answer = UNKNOWN if one.answer == UNKNOWN else True
    for place, (ref, item) in enumerate(zip(refs_of(one.id, count), items, strict=False)):
        of = (item, one.id, place, len(items))
        yield replace(one, id=ref, verb="put", args=of, answer=answer)
    if count < len(items):
        yield replace(one, id=f"{one.id} rest", verb="rest", args=(one.id, count), answer=True)


def refs_got(one: Operation) -> tuple[str, ...]:
    """Return what that is known by which its caller has to give back."""
    if one.verb not in {"acquire", "lend"} or one.is_read:
        return ()
    if one.verb == "lend" and isinstance(one.answer, tuple):
        return refs_of(one.id, len(one.answer))
    return (one.id,)
