"""Function cache: the functions that a child or sub-interpreter was sent, by number.

They are loaded at their first call, so that what goes wrong is that call's error. The
sender says which one each replaces (link/link.py, thread/interpreter.py): memory stays
bounded although a program may make lambdas for ever.
"""

from collections.abc import Callable
from typing import Any

from lightwork.pool.wire.pickling import load

_AnyFunction = Callable[..., Any]


class FunctionNotLoaded(Exception):  # noqa: N818 - as WorkerLost
    """What a function raises as it is loaded if its process may have half of its code now.

    A child that meets it is replaced: Python keeps what it has imported.
    """


class FunctionCache:
    """Functions by number.

    Args:
        prepare: What becomes of one that was loaded.
    """

    def __init__(self, prepare: Callable[[_AnyFunction], _AnyFunction] | None = None) -> None:
        self._prepare = prepare
        self._blobs: dict[int, bytes] = {}
        self._loaded: dict[int, _AnyFunction] = {}

    def learn(self, number: int, blob: bytes, *, replaces: int) -> None:
        """Remember a pickled function, and forget another; 0 is none."""
        self._blobs.pop(replaces, None)
        self._loaded.pop(replaces, None)
        self._blobs[number] = blob

    def get(self, number: int) -> _AnyFunction:
        """Return a function.

        Raises:
            BaseException: Whatever loading it raised.
        """
        function = self._loaded.get(number)
        if function is None:
            function = load(self._blobs[number])
            if self._prepare is not None:
                function = self._prepare(function)
            self._loaded[number] = function
        return function
