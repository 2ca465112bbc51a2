"""Free list: which stretches of a growing memory are free. Pure.

First fit: the lowest pages are used again and again, and stay warm. The list of
holes is short, because neighbours are joined and bodies that come and go in
order leave one hole; the used stretches, of which a long queue has many, are
not listed at all: their owners know them.
"""

import bisect
from typing import Final

# A page, so that what lies there can be mapped by itself.
_ALIGN: Final = 4096


class FreeList:
    """Free stretches below `end`; from there on all is free."""

    def __init__(self) -> None:
        self._holes: list[tuple[int, int]] = []
        # Where the last used stretch ends.
        self.end = 0

    def take(self, size: int) -> int:
        """Return the offset of a free stretch of so many bytes, which is used from now on."""
        size = -(-size // _ALIGN) * _ALIGN
        for at, (start, end) in enumerate(self._holes):
            if end - start > size:
                self._holes[at] = start + size, end
                return start
            if end - start == size:
                del self._holes[at]
                return start
        start, self.end = self.end, self.end + size
        return start

    def give(self, offset: int, size: int) -> None:
        """Let a stretch be used again; it must be one that was taken."""
        start, end = offset, offset - (-size // _ALIGN) * _ALIGN
        at = bisect.bisect(self._holes, (start, end))
        if at < len(self._holes) and self._holes[at][0] == end:
            end = self._holes.pop(at)[1]
        if at and self._holes[at - 1][1] == start:
            at -= 1
            start = self._holes.pop(at)[0]
        if end == self.end:
            self.end = start
        else:
            self._holes.insert(at, (start, end))
