"""Function: what is called, in the form in which it travels: once per child.

An importable function is pickled by reference once and remembered. A function
that goes by value (a lambda, a closure, anything of `__main__`) is pickled anew
at each submit, because the variables it captured may have changed; equal bytes
are still sent to a child only once. That costs 40 us and more. So where all that
it captured cannot change (numbers, text, modules, other such functions), the
snapshot of closure_snapshot.py says in 2 us that its bytes are still the same. An object
that says `is_unchanging` is pickled once however it goes.
"""

import itertools
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from lightwork.callables import AnyTask, find_by_reference
from lightwork.pool.call.coroutine_function import is_coroutine_function
from lightwork.pool.wire.display_name import name_of
from lightwork.pool.wire.pickling import dump

if TYPE_CHECKING:
    from lightwork.pool.wire.closure_snapshot import Snapshot

_REMEMBERED_MAX: Final = 1024
_FUNCTIONS: Final = {FunctionType, BuiltinFunctionType, type}
_UNKNOWN: Final[tuple[None, "Snapshot"]] = (None, ())


def _nothing() -> None:
    """Stand for a weak reference to no function."""


class Function:
    """A pickled function, its number in this pool and what a call of it costs."""

    __slots__ = ("blob", "is_async", "name", "number", "seconds")

    def __init__(self, number: int, name: str, blob: bytes, *, is_async: bool = False) -> None:
        self.number = number
        self.name = name
        self.blob = blob
        # Its calls run on the event loops of children.
        self.is_async = is_async
        # Running mean of a call's duration; negative: not known yet.
        self.seconds = -1.0

    def learn(self, micros: int) -> None:
        """Take one measured duration into account."""
        seconds = micros * 1e-6
        # Quick to rise, slow to fall: a long call behind which others were
        # queued costs more than a short one that waited in vain.
        if self.seconds < 0:
            self.seconds = seconds
        else:
            weight = 0.5 if seconds > self.seconds else 0.1
            self.seconds += weight * (seconds - self.seconds)


class FunctionTable:
    """All functions of one pool."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        # Guards the two tables. Reentrant: the garbage collector may submit inside of it.
        self._lock = threading.RLock()
        # The unchanging function that was found last, which most often comes again;
        # read and replaced as one, without the lock.
        self._last: tuple[Callable[[], object], Function] = (_nothing, Function(0, "", b""))
        self._by_blob: OrderedDict[bytes, Function] = OrderedDict()
        self._by_object: WeakKeyDictionary[Callable[..., Any], tuple[Function | None, Snapshot]] = (
            WeakKeyDictionary()
        )

    def find(self, fn: Callable[..., Any]) -> Function:
        """Return the function's travelling form.

        Raises:
            Exception: Whatever pickling it raised.
            UsageError: It is an async generator function.
        """
        # A child imports its own copy: what became of the name here meanwhile is no matter.
        last_fn, last = self._last
        if last_fn() is fn:
            return last
        is_unchanging = _is_unchanging(fn)
        captured = () if is_unchanging else _snapshots().take_snapshot(fn)
        if captured is None or (kept := _reference(fn)) is None:
            return self._remember(fn, dump(fn))
        with self._lock:
            found, known = self._by_object.get(fn, _UNKNOWN)
        is_same = not (known or captured) or _snapshots().is_same(known, captured)
        if found is None or not is_same:
            found = self._remember(fn, dump(fn))
            with self._lock:
                self._by_object[fn] = (found, captured)
        if is_unchanging:
            self._last = (kept, found)
        return found

    def _remember(self, fn: Callable[..., Any], blob: bytes) -> Function:
        with self._lock:
            found = self._by_blob.get(blob)
            if found is None:
                is_async = is_coroutine_function(fn)
                found = Function(next(self._numbers), name_of(fn), blob, is_async=is_async)
                self._by_blob[blob] = found
                if len(self._by_blob) > _REMEMBERED_MAX:
                    self._by_blob.popitem(last=False)
            return found


def _reference(fn: Callable[..., Any]) -> Callable[[], object] | None:
    """Return a weak reference; None for what has no place for any, or cannot be looked up."""
    try:
        hash(fn)
        return weakref.ref(fn)
    except TypeError:
        return None


def _is_unchanging(fn: Callable[..., Any]) -> bool:
    if getattr(fn, "is_unchanging", False):
        return True
    if type(fn) is partial:
        # What runs the items of a map.
        parts = (fn.func, *fn.args)
        is_plain = not (fn.keywords or fn.__dict__) and {*map(type, parts)} <= _FUNCTIONS
        return is_plain and all(find_by_reference(part) is part for part in parts)
    return find_by_reference(fn.fn if isinstance(fn, AnyTask) else fn) is not None


def _snapshots() -> ModuleType:
    # Only what goes by value has any, and 2 ms of imports.
    from lightwork.pool.wire import closure_snapshot  # noqa: PLC0415 - see above

    return closure_snapshot
