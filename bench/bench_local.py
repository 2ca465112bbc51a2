"""Local calls: lightwork's processes beside multiprocessing.Pool, in one run.

Both pools have the same number of children and run the same functions. Rounds
alternate between the two, so that a busy moment of the machine hits both; the
first round warms up and is not counted. Figures are medians of rounds, and the
ratio is what counts: above 1 means that lightwork is the better one.
"""

import argparse
import json
import multiprocessing
import operator
import os
import pickle
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.pool import Pool
from typing import Any, SupportsIndex

from lightwork.pool.process import ProcessExecutor

BODY = 100 << 20


@dataclass(frozen=True, slots=True)
class Figure:
    """One row; the ratio says how many times better lightwork is."""

    name: str
    unit: str
    lightwork: float
    pool: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing to measure, on either side; returns one number, in `unit`."""

    name: str
    unit: str
    lightwork: Callable[[ProcessExecutor], float]
    pool: Callable[[Pool], float]
    more_is_better: bool = True


def no_op_of_main(n: int) -> int:
    return n


class Array:
    """Bytes that can travel out of band, as a numpy array's do."""

    def __init__(self, memory: Any) -> None:
        self.memory = memoryview(memory)

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        # Like those below protocol 5, which multiprocessing does not use.
        out = pickle.PickleBuffer(self.memory) if int(protocol) >= 5 else bytes(self.memory)
        return Array, (out,)


def look_at(array: Array) -> int:
    """Read a byte of every page."""
    return sum(array.memory[::4096])


def give_back(array: Array) -> Array:
    return array


# Importable everywhere, and as little work as there is.
no_op = operator.pos
size = len
make = bytes


def rate(count: float, work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return count / (time.perf_counter() - started)


def round_trips(call: Callable[[int], object], count: int, share: float) -> float:
    """Return the duration, in microseconds, below which this share of calls stayed."""
    times = []
    for n in range(count):
        started = time.perf_counter()
        call(n)
        times.append(time.perf_counter() - started)
    return sorted(times)[int(share * count)] * 1e6


def measures(calls: int, items: int) -> Sequence[Measure]:
    def trips(name: str, share: float) -> Measure:
        return Measure(
            name,
            "us",
            lambda ex: round_trips(lambda n: ex.submit(no_op, n).result(), calls // 20, share),
            lambda pool: round_trips(lambda n: pool.apply(no_op, (n,)), calls // 20, share),
            more_is_better=False,
        )

    return (
        Measure(
            f"submit and result of {calls:,} no-ops",
            "calls/s",
            lambda ex: rate(
                calls, lambda: [f.result() for f in [ex.submit(no_op, n) for n in range(calls)]]
            ),
            lambda pool: rate(
                calls,
                lambda: [f.get() for f in [pool.apply_async(no_op, (n,)) for n in range(calls)]],
            ),
        ),
        trips("round trip, median", 0.5),
        trips("round trip, 99 of 100", 0.99),
        Measure(
            f"map over {items:,} ints, defaults",
            "items/s",
            lambda ex: rate(items, lambda: sum(ex.map(no_op, range(items)))),
            lambda pool: rate(items, lambda: sum(pool.map(no_op, range(items)))),
        ),
        Measure(
            "map, chunk size 1",
            "items/s",
            lambda ex: rate(calls, lambda: sum(ex.map(no_op, range(calls), chunksize=1))),
            lambda pool: rate(calls, lambda: sum(pool.map(no_op, range(calls), chunksize=1))),
        ),
        Measure(
            "the same, a function of __main__",
            "calls/s",
            lambda ex: rate(calls, lambda: sum(ex.map(no_op_of_main, range(calls), chunksize=1))),
            lambda pool: rate(
                calls, lambda: sum(pool.map(no_op_of_main, range(calls), chunksize=1))
            ),
        ),
        Measure(
            "100 MiB array as argument",
            "GB/s",
            lambda ex: rate(BODY / 1e9, lambda: ex.submit(look_at, ARRAY).result()),
            lambda pool: rate(BODY / 1e9, lambda: pool.apply(look_at, (ARRAY,))),
        ),
        Measure(
            "100 MiB array in and out",
            "GB/s",
            lambda ex: rate(2 * BODY / 1e9, lambda: look_at(ex.submit(give_back, ARRAY).result())),
            lambda pool: rate(2 * BODY / 1e9, lambda: look_at(pool.apply(give_back, (ARRAY,)))),
        ),
        Measure(
            "100 MiB of bytes as argument",
            "GB/s",
            lambda ex: rate(BODY / 1e9, lambda: ex.submit(size, DATA).result()),
            lambda pool: rate(BODY / 1e9, lambda: pool.apply(size, (DATA,))),
        ),
        Measure(
            "100 MiB of bytes as result",
            "GB/s",
            lambda ex: rate(BODY / 1e9, lambda: ex.submit(make, BODY).result()),
            lambda pool: rate(BODY / 1e9, lambda: pool.apply(make, (BODY,))),
        ),
    )


DATA = b"y" * BODY
ARRAY = Array(DATA)


def measure(measures: Sequence[Measure], children: int, rounds: int) -> Iterator[Figure]:
    with multiprocessing.get_context("forkserver").Pool(children) as pool:
        with ProcessExecutor(children) as executor:
            for one in measures:
                times: list[tuple[float, float]] = [
                    (one.lightwork(executor), one.pool(pool)) for _ in range(rounds + 1)
                ]
                ours, theirs = (statistics.median(side) for side in zip(*times[1:], strict=True))
                ratio = ours / theirs if one.more_is_better else theirs / ours
                yield Figure(one.name, one.unit, round(ours, 2), round(theirs, 2), round(ratio, 2))
        pool.terminate()
        pool.join()


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure local calls beside multiprocessing.Pool.")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds of each (default 5)")
    parser.add_argument("--children", type=int, default=2, help="of each pool (default 2)")
    parser.add_argument("--calls", type=int, default=20_000, help="single calls per round")
    parser.add_argument("--items", type=int, default=1_000_000, help="items of a map per round")
    parser.add_argument("--only", default="", help="only rows whose name contains this")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    if min(options.rounds, options.children, options.items) < 1 or options.calls < 20:
        parser.error("expected at least 1 round, child and item, and 20 calls")
    chosen = [one for one in measures(options.calls, options.items) if options.only in one.name]
    figures = list(measure(chosen, options.children, options.rounds))
    settings = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "children": options.children,
        "rounds": options.rounds,
        "load": round(os.getloadavg()[0], 1),
    }
    if options.json:
        print(json.dumps({"settings": settings, "figures": [asdict(row) for row in figures]}))
    else:
        print("\n".join(table(settings, figures)))
    return 0


def table(settings: dict[str, object], figures: Sequence[Figure]) -> Iterator[str]:
    yield " · ".join(f"{name} {value}" for name, value in settings.items())
    yield f"{'':36}{'lightwork':>14}{'Pool':>14}  {'':9}{'ratio':>6}"
    for row in figures:
        name, unit = row.name, row.unit
        yield f"{name:36}{row.lightwork:14,.2f}{row.pool:14,.2f}  {unit:9}{row.ratio:6.2f}"


if __name__ == "__main__":
    sys.exit(main())
