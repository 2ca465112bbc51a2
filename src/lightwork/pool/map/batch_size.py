"""Batch size: how many items of a map go into a chunk, and how far ahead it runs.

Pure decisions from what is known about the items so far: how long they ran and
roughly how many bytes they hold. feed.py measures and obeys.
"""

import sys
from array import array
from collections import deque
from itertools import islice
from types import NoneType
from typing import Any, Final

from lightwork.pool.map.trial import TRIAL_MAX

# A chunk shorter than this is dominated by its transport (about 30 us) ...
SHORT: Final = 0.020
# ... and a longer one makes others wait at the end, and loses more in a crash.
LONG: Final = 0.050
AIM: Final = 0.030
# One measured chunk is thin evidence: grow by steps.
GROWTH: Final = 16
# No-op items run at 20 M/s: 16 Ki of them take as long as 20 transports.
MAX_CHUNK: Final = 16_384
# Items that take longer are run in bundles, whose cost for each they hide (1 us).
BUNDLE_SECONDS: Final = 20e-6
# What a bundle itself takes for each item, which is measured with it.
BUNDLED_SECONDS: Final = 1e-6
# Of items that were never measured so many travel together at first, in bundles: if they turn out to
# be long, those behind the first are taken back.
FIRST_BUNDLE: Final = 32
# Of plain ones, which then run until they have run long enough, so many.
FIRST_TRIAL: Final = 1024
# Chunks become smaller towards the end of an input so that all slots end together, but none becomes
# shorter than a few transports for that.
_WORTH_SENDING: Final = 0.000_5
# What an item in a chunk costs beside its own time.
_CARRIED_SECONDS: Final = 250e-9
# So much work for each slot is in flight, if it can be.
_AHEAD: Final = 0.002
# Single items travel together as long as they take no longer than this in all.
_BUNDLE_AIM: Final = 0.001
_BUNDLE_GROWTH: Final = 4
_BUNDLE_MAX: Final = 512
CHUNK_BYTES: Final = 1 << 20
WINDOW_BYTES: Final = 64 << 20
# Whose own idea of their size is the interpreter's.
_PLAIN: Final = frozenset({bytes, bytearray, str, int, float, complex, bool, NoneType, array})
_COLLECTIONS: Final = frozenset({list, tuple, dict, set, frozenset, deque})
# Types of others that say what they hold, in `nbytes` or as a table does. Exactly these:
# a class of the user that is one of them may answer with code of its own.
_LIBRARIES: Final = {
    "numpy": ("ndarray", "memmap"),
    "pandas": ("DataFrame", "Series"),
    "pyarrow": ("Table", "RecordBatch"),
    "torch": ("Tensor",),
}
_NUMBERS: Final = {int, float, bool, NoneType}
# Sizes are sampled from this many items of a chunk.
SAMPLE: Final = 4
# Bytes that an object is taken for that is not asked.
_SIZE_UNKNOWN: Final = 64


def next_size(size: int, ran: int, seconds: float) -> int:
    """Return the size of coming chunks after a chunk of `ran` items took `seconds`."""
    if seconds > LONG:
        return max(1, min(size, int(ran * AIM / seconds)))
    # Chunks submitted before the last growth say little about larger ones.
    if seconds < SHORT and ran >= size:
        return max(1, min(ran * GROWTH, int(ran * AIM / max(seconds, 1e-9)), MAX_CHUNK))
    return size


def next_bundle(size: int, ran: int, seconds: float) -> int:
    """Return how many single items travel together after `ran` of them took `seconds`."""
    fitting = int(ran * _BUNDLE_AIM / max(seconds, 1e-9))
    return max(1, min(fitting, size * _BUNDLE_GROWTH, _BUNDLE_MAX))


def size_after_trial(ran: int, seconds: float) -> int:
    """Return the size of coming chunks after a trial of which so many items ran so long."""
    return max(1, min(ran * GROWTH, int(ran * AIM / max(seconds, 1e-9)), MAX_CHUNK))


def first_trial(length: int, slots: int) -> int:
    """Return how many plain items of an input of this length go in a trial before any was measured."""
    # All, if one call for each slot can have them: who has done his share gets half of what another has
    # not begun. Of more, so many as tell how the others go.
    share = -(-length // slots)
    return max(1, share if share <= TRIAL_MAX else FIRST_TRIAL)


def first_bundle(length: int, slots: int) -> int:
    """Return how many items of an input of this length travel together before any was measured."""
    # Four for each slot, as the standard library has it.
    return max(1, min(-(-length // (4 * slots)), FIRST_BUNDLE))


def limit_size(
    size: int, *, slots: int, window: int, item_bytes: int, item_seconds: float, remaining: int
) -> int:
    """Return `size`, or less if that many items are too much for one chunk.

    Two chunks per slot must fit into the window, and into what remains: the
    last chunks are smaller so that all slots end together.
    """
    return max(
        1,
        min(
            size,
            CHUNK_BYTES // max(item_bytes, 1),
            window // (2 * slots),
            _share(remaining, slots, item_seconds),
        ),
    )


def _share(remaining: int, slots: int, item_seconds: float) -> int:
    """Return how many of the items that remain one chunk may have; 0.0: they were never measured."""
    if not item_seconds:
        return remaining
    worth = int(_WORTH_SENDING / (item_seconds + _CARRIED_SECONDS))
    return max(-(-remaining // (2 * slots)), min(remaining, worth))


def calls_in_flight(slots: int, size: int, item_seconds: float = 0.0) -> int:
    """Return how many chunks may be submitted and unfinished.

    Short chunks must be many to hide their transport, and small ones may be short.
    """
    fitting = int(_AHEAD / (item_seconds * size)) if item_seconds else 0
    return slots * max(2, 64 // size, min(fitting, 64))


def async_slots(coroutines: int) -> int:
    """Return how many slots stand for so many coroutine calls at once.

    Twice as many are to be in flight, one item in each, and a slot is given 64.
    """
    return -(-coroutines // 32)


def auto_window(slots: int, size: int, item_bytes: int, item_seconds: float = 0.0) -> int:
    """Return how many items may be taken and not yet yielded when nobody said.

    Twice what is in flight: finished chunks may wait for a slow one before them.
    """
    items = 2 * calls_in_flight(slots, size, item_seconds) * size
    return max(slots + 1, min(items, WINDOW_BYTES // max(item_bytes, 1)))


def take_count(size: int, room: int, *, is_idle: bool) -> int:
    """Return how many items to take for the next chunk; 0: wait for room.

    A window with less room than one chunk is worth waiting for, unless nothing
    is under way that could make room.
    """
    return size if room >= size else max(room, 0) if is_idle else 0


def are_light(values: list[Any]) -> bool:
    """Whether the values of a chunk may all be kept until the last of them was used."""
    return all(type(value) in _NUMBERS for value in values[:SAMPLE])


def approximate_size(value: object, depth: int = 2) -> int:
    """Return roughly how many bytes a value holds, without walking all of it.

    Only values of known types are asked, and only by their own type: whatever else is
    asked runs code of the user, which may raise anything, in the thread that serves all.
    """
    kind = type(value)
    if kind in _PLAIN:
        return sys.getsizeof(value)
    try:
        if kind in _COLLECTIONS:
            return _collection_size(value, depth)
        return max(_SIZE_UNKNOWN, _data_size(kind, value))
    except Exception:
        # Another thread changes it, or a view was released.
        return _SIZE_UNKNOWN


def _data_size(kind: type, value: Any) -> int:
    """Return how many bytes of data a value holds, if its type is known to say so."""
    if kind is memoryview:
        return int(value.nbytes)
    for library, names in _LIBRARIES.items():
        # A program that has such a value has imported the library.
        known = getattr(sys.modules.get(library), "__dict__", {})
        if any(kind is known.get(name) for name in names):
            if kind.__name__ == "DataFrame":
                return int(value.memory_usage(index=False).sum())
            return int(value.nbytes)
    return 0


def _collection_size(value: Any, depth: int) -> int:
    size = sys.getsizeof(value)
    if depth and value:
        parts = value.values() if type(value) is dict else value
        sample = list(islice(parts, SAMPLE))
        parts_size = sum(approximate_size(part, depth - 1) for part in sample)
        size += len(value) * parts_size // len(sample)
    return size
