"""In lists: long lists of ids in few sizes.

A statement with `IN (...)` is prepared anew for each number of parameters, and
SQLite takes at most 32,766 of them. So lists are cut into chunks of a few sizes,
filled up by repeating their last element, which changes nothing inside an IN.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, TypeVar

T = TypeVar("T")

SIZES: Final = (1, 10, 100, 1000)


def padded_chunks(values: Iterable[T], sizes: Sequence[int] = SIZES) -> Iterator[list[T]]:
    """Yield the values in lists whose lengths are among these sizes, which ascend."""
    rest = iter(values)
    while chunk := list(islice(rest, sizes[-1])):
        size = next(size for size in sizes if size >= len(chunk))
        yield chunk + [chunk[-1]] * (size - len(chunk))
