"""Captured: what a function that travels by value takes with it. Pure.

A snapshot lists the objects that the pickled function is made of, if none of
them can change in place. As long as they are the same objects, so are the bytes.
Anything that may change (a list, an instance, a class of `__main__`) gives no
snapshot: such a function is pickled anew each time.
"""

import types
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from lightwork.tasks import find_by_reference

Snapshot = tuple[object, ...]

_CONSTANTS: Final = (int, float, complex, str, bytes, bool, types.NoneType)
_FIXED: Final = (types.ModuleType, types.CodeType)
# A function with more than this around it is rather pickled than searched.
_OBJECTS_MAX: Final = 100


class _ChangeableError(Exception):
    """Something of the function may change in place."""


def take_snapshot(fn: Callable[..., Any]) -> Snapshot | None:
    """Return what the function is made of; None if that may change in place."""
    seen: list[object] = []
    try:
        _add(fn, seen)
    except _ChangeableError:
        return None
    # Without the function itself, which whoever keeps the snapshot must not keep alive.
    return tuple(seen[1:])


def is_same(one: Snapshot, other: Snapshot) -> bool:
    """Whether both list the very same objects."""
    return len(one) == len(other) and all(map(_is, one, other))


def _is(one: object, other: object) -> bool:
    return one is other


def _add(value: object, seen: list[object]) -> None:
    if any(value is known for known in seen):
        return
    seen.append(value)
    if len(seen) > _OBJECTS_MAX:
        raise _ChangeableError
    for part in _parts(value):
        _add(part, seen)


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
