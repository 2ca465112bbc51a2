"""Rows: what is measured on a pool that stays open. Runs in the seat of a side.

Every measurement looks at what came back: there is no figure for work that was not done.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local import calls
from local.peers import Side
from local.report import Figure

# Items of small maps.
_FEW = (1_000, 10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """How much is done in one turn of a side; slow sides divide the counts."""

    calls: int = 20_000
    trips: int = 1_000
    items: int = 1_000_000
    # Bytes of a large value.
    body: int = 100 << 20
    mixed: int = 200

    def of(self, side: Side) -> "Work":
        """Return the part of this that a side does."""
        return Work(
            calls=max(self.calls // side.calls_divisor, 20),
            # Enough for a hundredth part of them to be one.
            trips=max(self.trips // side.calls_divisor, min(self.trips, 100)),
            items=max(self.items // side.items_divisor, 20),
            body=self.body,
            mixed=self.mixed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing to measure; a turn gives one number for each figure."""

    name: str
    figures: Sequence[Figure]
    measure: Callable[[Side, Work], Sequence[float]]
    # None: as many as were asked for, after one that is not counted.
    rounds: int | None = None
    # Whether it takes a side that can submit single calls.
    submits: bool = False


def submit(side: Side, work: Work) -> Sequence[float]:
    taken = seconds(side.submit_all, calls.no_op, range(work.calls), total=_total(work.calls))
    return [work.calls / taken]


def round_trip(side: Side, work: Work) -> Sequence[float]:
    times = sorted(seconds(_call_one, side, n, total=n) * 1e6 for n in range(work.trips))
    return [times[len(times) // 2], times[int(len(times) * 0.99)]]


def map_tiny(side: Side, work: Work) -> Sequence[float]:
    items = range(work.items)
    taken = seconds(side.map, calls.no_op, items, side.tiny_chunk, total=_total(work.items))
    return [work.items / taken]


def map_few(side: Side, work: Work) -> Sequence[float]:
    return [_map_often(side, count, work) for count in _FEW]


def _map_often(side: Side, count: int, work: Work) -> float:
    """Return the milliseconds of a map of so many tiny items, in the median."""
    # Who has no size of its own is given that of the standard pool.
    chunk = side.tiny_chunk and max(count // (4 * side.children), 1)
    taken = sorted(
        seconds(side.map, calls.no_op, range(count), chunk, total=_total(count))
        for _ in range(max(work.items // 20_000, 3))
    )
    return taken[len(taken) // 2] * 1e3


def map_singly(side: Side, work: Work) -> Sequence[float]:
    taken = seconds(side.map, calls.no_op, range(work.calls), 1, total=_total(work.calls))
    return [work.calls / taken]


def map_of_main(side: Side, work: Work) -> Sequence[float]:
    fn = sys.modules["__main__"].no_op_of_main
    taken = seconds(side.map, fn, range(work.calls), 1, total=_total(work.calls))
    return [work.calls / taken]


def array_in(side: Side, work: Work) -> Sequence[float]:
    array = make_array(work.body)
    taken = seconds(_call_large, side, calls.look_at, array, total=_pages(work.body))
    return [work.body / taken / 1e9]


def array_in_out(side: Side, work: Work) -> Sequence[float]:
    array = make_array(work.body)
    begun = time.perf_counter()
    seen = calls.look_at(side.call_large(calls.give_back, array))
    taken = time.perf_counter() - begun
    expect(seen, _pages(work.body))
    return [2 * work.body / taken / 1e9]


def bytes_in(side: Side, work: Work) -> Sequence[float]:
    data = b"\1" * work.body
    taken = seconds(_call_large, side, len, data, total=work.body)
    return [work.body / taken / 1e9]


def bytes_out(side: Side, work: Work) -> Sequence[float]:
    begun = time.perf_counter()
    length = len(side.call(bytes, work.body))
    taken = time.perf_counter() - begun
    expect(length, work.body)
    return [work.body / taken / 1e9]


def mixed_submitted(side: Side, work: Work) -> Sequence[float]:
    begun = time.perf_counter()
    meant = side.submit_all(calls.mixed, range(work.mixed))
    return [(time.perf_counter() - begun) / ideal(meant, side.children)]


def mixed_mapped(side: Side, work: Work) -> Sequence[float]:
    begun = time.perf_counter()
    meant = list(side.map(calls.mixed, range(work.mixed), side.mixed_chunk))
    return [(time.perf_counter() - begun) / ideal(meant, side.children)]


def descriptors(side: Side, work: Work) -> Sequence[float]:
    del side, work
    return [len(os.listdir("/proc/self/fd"))]  # noqa: PTH208 - one call, no objects


def ideal(durations: Sequence[float], children: int) -> float:
    """Return the shortest time in which so many children can do all of this."""
    return max(sum(durations) / children, *durations)


def seconds(work: Callable[..., Any], *args: Any, total: int) -> float:
    """Return how long it takes until every result is there; they must add up to `total`."""
    begun = time.perf_counter()
    seen = sum(work(*args))
    taken = time.perf_counter() - begun
    expect(seen, total)
    return taken


def expect(seen: object, expected: object) -> None:
    if seen != expected:
        raise RuntimeError(f"did not do its work: expected {expected}, seen {seen}")


def make_array(size: int) -> Any:
    """Return a new array each time: some sides remember an array that they have sent before."""
    try:
        import numpy as np
    except ImportError:
        return calls.Array(b"\1" * size)
    return np.ones(size, dtype=np.uint8)


def array_kind() -> str:
    try:
        from numpy import __version__ as version
    except ImportError:
        return "a class with a PickleBuffer (numpy is not installed)"
    return f"numpy {version}"


def warm_up(side: Side) -> None:
    """Make all children start: some sides start them only when calls wait.

    Raises:
        RuntimeError: There are fewer children than asked for.
    """
    seen: set[int] = set()
    for _ in range(10):
        seen.update(spread(side, calls.say_pid, 2 * side.children))
        if len(seen) >= side.children:
            break
    else:
        raise RuntimeError(f"expected {side.children} children, seen {len(seen)}")
    # The children of a map may be others (mpire).
    set(side.map(calls.say_pid, range(2 * side.children), 1))


def spread(side: Side, fn: Callable[[int], Any], count: int) -> list[Any]:
    """Run so many calls on the children that run a side's single calls."""
    if side.submits:
        return side.submit_all(fn, range(count))
    return list(side.map(fn, range(count), 1))


def _call_one(side: Side, number: int) -> Iterable[int]:
    return (side.call(calls.no_op, number),)


def _call_large(side: Side, fn: Callable[[Any], int], value: Any) -> Iterable[int]:
    return (side.call_large(fn, value),)


def _total(count: int) -> int:
    return sum(range(count))


def _pages(size: int) -> int:
    return -(-size // 4096)


def _rate(name: str, unit: str = "calls/s") -> tuple[Figure]:
    return (Figure(name, unit),)


def make_rows(work: Work) -> Mapping[str, Row]:
    """Return all rows by name, in the order of the table."""
    body = f"{work.body >> 20} MiB"
    rows = (
        Row(name="submit", figures=_rate("submit and result"), measure=submit, submits=True),
        Row(
            name="round trip",
            figures=(
                Figure("round trip, median", "us", more_is_better=False),
                Figure("round trip, 99 of 100", "us", more_is_better=False),
            ),
            measure=round_trip,
        ),
        Row(name="map", figures=_rate("map of tiny items", "items/s"), measure=map_tiny),
        Row(
            name="map of few",
            figures=tuple(
                Figure(f"map of {count:,} tiny items", "ms", more_is_better=False) for count in _FEW
            ),
            measure=map_few,
        ),
        Row(name="map singly", figures=_rate("map, chunk size 1"), measure=map_singly),
        Row(
            name="map of main", figures=_rate("map, chunk size 1, of __main__"), measure=map_of_main
        ),
        Row(name="array in", figures=_rate(f"{body} array in", "GB/s"), measure=array_in),
        Row(
            name="array in, out",
            figures=_rate(f"{body} array in and out", "GB/s"),
            measure=array_in_out,
        ),
        Row(name="bytes in", figures=_rate(f"{body} of bytes in", "GB/s"), measure=bytes_in),
        Row(name="bytes out", figures=_rate(f"{body} of bytes out", "GB/s"), measure=bytes_out),
        Row(
            name="mixed submit",
            figures=(Figure("mixed durations, submit", "x ideal", more_is_better=False),),
            measure=mixed_submitted,
            rounds=1,
            submits=True,
        ),
        Row(
            name="mixed map",
            figures=(Figure("mixed durations, map", "x ideal", more_is_better=False),),
            measure=mixed_mapped,
            rounds=1,
        ),
    )
    return {row.name: row for row in rows}


# What a seat is asked for by name; how large things are has no influence on it.
ROWS_OF_A_SEAT: Mapping[str, Callable[[Side, Work], Sequence[float]]] = {
    **{row.name: row.measure for row in make_rows(Work()).values()},
    "descriptors": descriptors,
}
