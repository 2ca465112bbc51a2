"""Listeners: who wants to hear of which events. Knows nobody who tells them.

Functions are called in the thread that tells, unless `run` takes them elsewhere. Whoever could tell something asks `hears` before it makes the event: where nobody listens that
is one look at an empty dict.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

from lightwork.errors import UsageError
from lightwork.events import kinds
from lightwork.events.kinds import Event

E = TypeVar("E", bound=Event)

log = logging.getLogger(__name__)

KINDS: Final[dict[str, type[Event]]] = {
    name: kind
    for name, kind in vars(kinds).items()
    if isinstance(kind, type) and issubclass(kind, Event)
}


class Listeners:
    """The functions that are called with events.

    Args:
        run: Given what calls them, which it does soon, elsewhere; default: here and now.
    """

    def __init__(self, run: Callable[[Callable[[], None]], None] | None = None) -> None:
        self._run = run
        # Both are replaced and never changed: whoever tells reads them without a lock.
        self._all: tuple[tuple[type[Event], Callable[[Any], object]], ...] = ()
        self._of: dict[type[Event], tuple[Callable[[Any], object], ...]] = {}
        # Those that have raised, by identity: each is logged once.
        self._failed: list[Callable[[Any], object]] = []

    def add(self, kind: type[E], fn: Callable[[E], object]) -> Callable[[], None]:
        """Call the function with each event of this kind; return what ends that.

        Raises:
            UsageError: There are no such events, or the function cannot be called.
        """
        if kind not in KINDS.values():
            known = ", ".join(sorted(KINDS))
            raise UsageError(f"on() expects a class of events, one of {known}; seen: {kind!r}")
        if not callable(fn):
            raise UsageError(f"on() expects a function to call with each event; seen: {fn!r}")
        entry = (kind, fn)
        self._all = (*self._all, entry)
        self._sort()

        def end() -> None:
            self._all = tuple(one for one in self._all if one is not entry)
            self._sort()

        return end

    def hears(self, *of: type[Event]) -> bool:
        """Whether anybody listens to one of these kinds."""
        known = self._of
        return bool(known) and any(known[kind] for kind in of)

    def tell(self, event: Event) -> None:
        """Call whoever listens; what they raise is logged, once for each of them."""
        fns = self._of.get(type(event), ())
        if fns and self._run is not None:
            self._run(partial(self._call, fns, event))
        elif fns:
            self._call(fns, event)

    def _call(self, fns: tuple[Callable[[Any], object], ...], event: Event) -> None:
        for fn in fns:
            try:
                fn(event)
            except KeyboardInterrupt:
                raise  # Ctrl-C is about the program.
            except BaseException:
                if not any(fn is known for known in self._failed):
                    self._failed.append(fn)
                    log.exception("listener_failed listener=%r event=%s", fn, event.word)

    def _sort(self) -> None:
        if not self._all:
            self._of = {}
            return
        self._of = {
            kind: tuple(fn for wanted, fn in self._all if issubclass(kind, wanted))
            for kind in KINDS.values()
        }
