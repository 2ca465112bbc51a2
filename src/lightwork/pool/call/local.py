"""Local: state that each thread, and each child, has for itself.

The right way to hold a database connection in calls: made at the first use
where a call runs, kept for the calls that follow there, given back at the end.

    connection = lw.Local(lambda: sqlite3.connect("names.db"), sqlite3.Connection.close)

    def count(table):
        return connection.value.execute(f"select count(*) from {table}").fetchone()

How it travels to children: a global of a module by its name, so that every
process has the module's own; anything else by value, with an identity made
here, so that all calls that carry it find the same state in a child.

State is kept under that identity in the thread, not in this object: what
travels by value is rebuilt with every call.
"""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from threading import local
from typing import Any, Generic, TypeVar

from lightwork.pool.call.thread_exit import at_end

T = TypeVar("T")


class _Thread(local):
    """What one thread holds, by the identity of the Local."""

    def __init__(self) -> None:
        self.values: dict[bytes, Any] = {}


_thread = _Thread()


class Local(Generic[T]):
    """One value for each thread or child, made at its first use there.

    Args:
        factory: Makes the value; what it raises goes to whoever asked for the value.
        finalize: Called with the value when its thread ends, or its child ends normally;
            errors are logged.
    """

    __module__ = "lightwork"

    def __init__(
        self, factory: Callable[[], T], finalize: Callable[[T], object] | None = None
    ) -> None:
        # Who makes it owns it: where it may be found as a global.
        home = sys._getframe(1).f_globals.get("__name__", "__main__")
        self._set(os.urandom(16), factory, finalize, home)

    @property
    def value(self) -> T:
        """The value of this thread."""
        values = _thread.values
        try:
            found: T = values[self._identity]
        except KeyError:
            found = values[self._identity] = self._factory()
            at_end(_end, values, self._identity, self._finalize)
        return found

    def __call__(self) -> T:
        """Return the value of this thread."""
        return self.value

    def __reduce__(self) -> tuple[Any, ...]:
        if name := self._global_name():
            return _find, (self._home, name)
        return _rebuild, (self._identity, self._factory, self._finalize, self._home)

    def __repr__(self) -> str:
        return f"<Local of {getattr(self._factory, '__qualname__', self._factory)!r}>"

    def _set(
        self,
        identity: bytes,
        factory: Callable[[], T],
        finalize: Callable[[T], object] | None,
        home: str,
    ) -> None:
        self._identity = identity
        self._factory = factory
        self._finalize = finalize
        self._home = home

    def _global_name(self) -> str:
        # The main script is another module in a child.
        if self._home == "__main__" or self._home not in sys.modules:
            return ""
        # A copy, made at once: other threads may add names meanwhile. (A list of items would
        # not do: it makes tuples, for which the garbage collector may run, and others with it.)
        names = vars(sys.modules[self._home]).copy()
        return next((name for name, value in names.items() if value is self), "")


def _find(home: str, name: str) -> Any:
    return getattr(import_module(home), name)


def _rebuild(
    identity: bytes,
    factory: Callable[[], T],
    finalize: Callable[[T], object] | None,
    home: str,
) -> Local[T]:
    same: Local[T] = Local.__new__(Local)
    same._set(identity, factory, finalize, home)
    return same


def _end(values: dict[bytes, T], identity: bytes, finalize: Callable[[T], object] | None) -> None:
    # Taken away first: whoever still asks for it gets a new one, not one that has ended.
    value = values.pop(identity)
    if finalize is not None:
        finalize(value)


def _restart() -> None:
    global _thread  # noqa: PLW0603 - after a fork nothing here is ours
    _thread = _Thread()


os.register_at_fork(after_in_child=_restart)
