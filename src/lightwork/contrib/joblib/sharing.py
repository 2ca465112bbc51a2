"""Sharing: an array that many calls are given goes to the children once.

As users of joblib expect: arrays of `max_nbytes` and more (1 MB) are read-only in the calls, and
shared, where joblib's `mmap_mode` is "r", the default. Not on first sight: an array that each
call has of its own would lie in shared memory for nothing. In a child it is loaded once.

Who changes an array while one Parallel is given it again and again gets what was in it at first,
as with joblib. A generator that fills the whole of one array anew for each call does not: a
sample of some hundred elements tells that it is another. A change of a few it misses.
"""

import sys
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from lightwork.callables import swapped
from lightwork.pool.wire.ref import Ref

# Kept for one Parallel; whoever has more that come again sends some of them again.
_MOST: Final = 16
_SAMPLE: Final = 500


class _Known(NamedTuple):
    """An array that has been met; `shared` from the second time on."""

    array: Callable[[], Any]
    sample: bytes
    shared: Ref[Any] | None


class SharedArrays:
    """Arrays that the calls of one Parallel are given.

    Args:
        put: Of the executor.
        least: Bytes of the smallest that is shared.
    """

    def __init__(self, put: Callable[[Any], Ref[Any]], least: int) -> None:
        self._put = put
        self._least = least
        self._lock = threading.Lock()  # guards _known
        self._known: OrderedDict[int, _Known] = OrderedDict()

    def swap(self, batch: Any) -> bool:
        """Put references into a batch in the place of arrays; return whether there are any."""
        numpy = sys.modules.get("numpy")
        if numpy is None or not hasattr(batch, "items"):
            return False
        kinds, before = (numpy.ndarray,), batch.items
        batch.items = [
            (fn, swapped(args, kinds, self._swap), swapped(kwargs, kinds, self._swap))
            for fn, args, kwargs in before
        ]
        return any(
            new[1] is not old[1] or new[2] is not old[2]
            for new, old in zip(batch.items, before, strict=True)
        )

    def _swap(self, array: Any) -> Any:
        is_plain = array.flags.forc and not array.dtype.hasobject
        if type(array) is not sys.modules["numpy"].ndarray or not is_plain:
            return array
        if array.nbytes < self._least:
            return array
        with self._lock:
            return self._shared(array) or array

    def _shared(self, array: Any) -> Ref[Any] | None:
        known, sample = self._known.get(id(array)), _sample(array)
        is_same = known is not None and known.array() is array and known.sample == sample
        shared = known.shared if known is not None and is_same else None
        if is_same and shared is None:
            shared = self._put(array)
        self._known[id(array)] = _Known(weakref.ref(array), sample, shared)
        self._known.move_to_end(id(array))
        if len(self._known) > _MOST:
            self._known.popitem(last=False)
        return shared


def _sample(array: Any) -> bytes:
    flat = array.reshape(-1, order="A")
    return bytes(flat[:: max(flat.size // _SAMPLE, 1)].tobytes())


def _get(reference: Ref[Any]) -> Any:
    return reference.get()


def resolve(batch: Any) -> None:
    """Put the arrays back into a batch, in a child."""
    batch.items = [
        (fn, swapped(args, (Ref,), _get), swapped(kwargs, (Ref,), _get))
        for fn, args, kwargs in batch.items
    ]
