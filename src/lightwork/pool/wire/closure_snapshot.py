"""Closure snapshot: what a function that travels by value takes with it. Pure.

A snapshot lists the objects that the pickled function is made of, if none of
them can change in place, and of containers of plain data what they hold. As long as
they are the same objects, so are the bytes. Anything else that may change (an instance,
a class of `__main__`) gives no snapshot: such a function is pickled anew each time.
"""

import types
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from lightwork.by_value.bindings import digest_of_data, sent
from lightwork.callables import find_by_reference

Snapshot = tuple[object, ...]

_CONSTANTS: Final = (int, float, complex, str, bytes, bool, types.NoneType)
_CONTAINERS: Final = (list, dict, set, frozenset, bytearray)
_FIXED: Final = (types.ModuleType, types.CodeType)
# A function with more than this around it is rather pickled than searched.
_OBJECTS_MAX: Final = 100


class _Held(tuple[int, bytes]):
    """Where a container lies, and a digest of what it holds: the snapshot keeps neither."""

    __slots__ = ()


class _ChangeableError(Exception):
    """Something of the function may change in place."""


def take_snapshot(fn: Callable[..., Any]) -> Snapshot | None:
    """Return what the function is made of; None if that may change in place."""
    seen: list[object] = []
    try:
        _add(fn, seen)
    except _ChangeableError:
        return None
    # Another one after any name was bound anew: others may have told the child so.
    # Without the function itself, which whoever keeps the snapshot must not keep alive.
    return (*seen[1:], sent.epoch)


def is_same(one: Snapshot, other: Snapshot) -> bool:
    """Whether both list the very same objects, and containers that hold the same."""
    return len(one) == len(other) and all(map(_is, one, other))


def _is(one: object, other: object) -> bool:
    return one is other or (type(one) is _Held and one == other)


def _add(value: object, seen: list[object]) -> None:
    if type(value) in _CONTAINERS:
        seen.append(_held(value))
        return
    if any(value is known for known in seen):
        return
    seen.append(value)
    if len(seen) > _OBJECTS_MAX:
        raise _ChangeableError
    for part in _parts(value):
        _add(part, seen)


def _held(value: object) -> _Held:
    digest = digest_of_data(value)
    if not digest:
        raise _ChangeableError
    return _Held((id(value), digest))


def _parts(value: object) -> Iterator[object]:
    # Exact types: a subclass may carry anything.
    if type(value) in _CONSTANTS or isinstance(value, _FIXED):
        return
    if type(value) is tuple:
        yield from value
    elif type(value) is partial:
        if value.keywords or value.__dict__:
            raise _ChangeableError
        yield from (value.func, *value.args)
    elif isinstance(value, types.BuiltinFunctionType):
        # `[].append` is one too: what it is bound to counts.
        yield value.__self__
    elif isinstance(value, types.FunctionType | type) and find_by_reference(value) is not None:
        return
    elif isinstance(value, types.FunctionType):
        yield from _parts_of_function(value)
    else:
        raise _ChangeableError


def _parts_of_function(fn: types.FunctionType) -> Iterator[object]:
    if fn.__kwdefaults__ or fn.__dict__:
        raise _ChangeableError
    # A code object never changes, but a function may be given another one.
    yield fn.__code__
    yield from fn.__defaults__ or ()
    for cell in fn.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # Not bound yet.
            raise _ChangeableError from None
    for name in _names(fn.__code__):
        if name in fn.__globals__:
            yield fn.__globals__[name]


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)
