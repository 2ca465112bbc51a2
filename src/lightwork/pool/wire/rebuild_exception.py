"""Rebuild exception: exceptions whose constructors take other arguments than they hand on.

Python pickles an exception as "call the class with its `args`". A class with
`__init__(self, code, *, reason)` then cannot be loaded, or is loaded as another
one: its text is made a second time from the first one. So what has a
constructor of its own, and says nothing about pickling, is rebuilt without it:
by `__new__` and `__init__` of the built-in class below, from `args`, and with the
attributes that it had.

Part of every child: imports little.
"""

import copyreg
from collections.abc import Mapping
from typing import Any, Final

_HEAP_TYPE: Final = 1 << 9  # Py_TPFLAGS_HEAPTYPE: not part of the interpreter.
_OWN_WAYS: Final = ("__reduce__", "__reduce_ex__", "__setstate__")
_DICT: Final[Any] = vars(BaseException)["__dict__"]


class TakenApart:
    """Stands for an exception while it is pickled, and is that exception when it is loaded."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __reduce__(self) -> tuple[Any, ...]:
        kind = type(self._error)
        # The C code's own: a class, its arguments and, if there are any, attributes.
        below: Any = _built_in(kind)
        _, args, *states = below.__reduce__(self._error)
        attributes = dict(states[0]) if states and states[0] else {}
        for name in copyreg._slotnames(kind):  # type: ignore[attr-defined]
            try:
                attributes[name] = object.__getattribute__(self._error, name)
            except AttributeError:
                continue  # Never set.
        return rebuild, (kind, args, attributes)


def has_own_constructor(kind: type[BaseException]) -> bool:
    """Whether the class is made in its own way and says nothing about how it is pickled."""
    below = _built_in(kind)
    if any(getattr(kind, way) is not getattr(below, way) for way in _OWN_WAYS):
        return False
    return kind.__init__ is not below.__init__ or kind.__new__ is not below.__new__


def rebuild(
    kind: type[BaseException], args: tuple[Any, ...], attributes: Mapping[str, Any]
) -> BaseException:
    """Return an exception of this class without calling what the class defines."""
    below: Any = _built_in(kind)
    error: BaseException = below.__new__(kind, *args)
    below.__init__(error, *args)
    for name, value in attributes.items():
        if hasattr(kind, name):
            # A slot, or what the C code keeps.
            object.__setattr__(error, name, value)
        else:
            _DICT.__get__(error)[name] = value
    return error


def _built_in(kind: type[BaseException]) -> type[BaseException]:
    return next(base for base in kind.__mro__ if not base.__flags__ & _HEAP_TYPE)
