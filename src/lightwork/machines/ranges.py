"""Ranges: sets of numbers as few pairs (first, one past the last), in order and apart.

What lies in a queue is mostly one such pair, however long the queue is.
"""

Ranges = tuple[tuple[int, int], ...]


def count_of(ranges: Ranges) -> int:
    """Return how many numbers there are."""
    return sum(stop - start for start, stop in ranges)


def joined(ranges: Ranges, *more: tuple[int, int]) -> Ranges:
    """Return both together; they have no number in common."""
    result: list[tuple[int, int]] = []
    for start, stop in sorted((*ranges, *more)):
        if result and result[-1][1] == start:
            result[-1] = (result[-1][0], stop)
        elif start < stop:
            result.append((start, stop))
    return tuple(result)


def split_at(ranges: Ranges, count: int) -> tuple[tuple[int, ...], Ranges]:
    """Return the first so many numbers, or as many as there are, and the rest."""
    taken: list[int] = []
    for at, (start, stop) in enumerate(ranges):
        end = min(stop, start + count - len(taken))
        taken += range(start, end)
        if end < stop:
            return tuple(taken), ((end, stop), *ranges[at + 1 :])
    return tuple(taken), ()
