"""Packed function: what the pool on a Dask worker runs instead of the function itself.

Only the child loads function, arguments and what they import, and packs what has become of the
call; the Dask worker passes bytes on. To its pool it is a function like others: known by
its name in errors, sent to a child once.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from lightwork.dask.packing import RAISED, VALUE, dump, load
from lightwork.error_text import leave_out_own_frames
from lightwork.pool.wire.dump_exception import pack_exception

# Kind, body, seconds: see Outcome.
Ended: TypeAlias = tuple[str, bytes, float]

_REMEMBERED_MAX: Final = 256


class PackedFunction:
    """A function as bytes; called with its arguments as bytes."""

    # To pools: pickled once.
    is_unchanging: Final = True

    def __init__(self, data: bytes, name: str) -> None:
        self._data = data
        self.__qualname__ = name

    def __call__(self, arguments: bytes) -> Ended:
        """Run a call; whatever it raises is its outcome."""
        begin = time.perf_counter()
        try:
            args, kwargs = load(arguments)
            body = dump(self._load()(*args, **kwargs))
        except BaseException as error:
            return _raised(error, begin)
        return VALUE, body, time.perf_counter() - begin

    def _load(self) -> Callable[..., Any]:
        # Not when the pool loads this object: what that raises is each call's outcome.
        fn: Callable[..., Any] = self.__dict__.get("_fn") or load(self._data)
        self._fn = fn
        return fn

    def __getstate__(self) -> dict[str, object]:
        return {"_data": self._data, "__qualname__": self.__qualname__}


class PackedCoroutineFunction(PackedFunction):
    """The same for a coroutine function, which runs on an event loop of the child."""

    async def __call__(self, arguments: bytes) -> Ended:  # type: ignore[override]
        """Run a call; its cancellation is the pool's."""
        begin = time.perf_counter()
        try:
            args, kwargs = load(arguments)
            body = dump(await self._load()(*args, **kwargs))
        except Exception as error:
            return _raised(error, begin)
        return VALUE, body, time.perf_counter() - begin


class PackedFunctions:
    """Those that a Dask worker has been sent: equal bytes are one object, which its pool knows."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[bytes, bool], PackedFunction] = OrderedDict()

    def find(self, data: bytes, name: str, *, is_async: bool) -> PackedFunction:
        """Return the function; several threads may ask at once, and then may have two."""
        found = self._known.get((data, is_async))
        if found is None:
            kind = PackedCoroutineFunction if is_async else PackedFunction
            found = self._known[data, is_async] = kind(data, name)
            if len(self._known) > _REMEMBERED_MAX:
                self._known.popitem(last=False)
        return found


def _raised(error: BaseException, begin: float) -> Ended:
    leave_out_own_frames(error)
    return RAISED, pack_exception(error), time.perf_counter() - begin
