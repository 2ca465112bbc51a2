"""Coroutine calls: lightwork's threads and processes beside asyncio itself and beside threads.

Everybody may have 100 calls under way at a time, except where the table says 200
(two children, 100 each). `asyncio` is a bare semaphore and gather: no futures that
other threads can wait for, no priorities, no limits; what is left to gain.
Rounds alternate between all sides; the first is not counted. Medians.
"""

import argparse
import asyncio
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor

from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.thread.executor import ThreadExecutor

AT_ONCE = 100
# Takes durations, has one call for each wait as long, and returns when all have.
Side = Callable[[Sequence[float]], object]


async def nap(seconds: float) -> None:
    await asyncio.sleep(seconds)


def run_bare(naps: Iterable[float]) -> None:
    async def run() -> None:
        room = asyncio.Semaphore(AT_ONCE)

        async def limited(seconds: float) -> None:
            async with room:
                await nap(seconds)

        await asyncio.gather(*map(limited, naps))

    asyncio.run(run())


def run_mapped(executor: Executor, naps: Sequence[float]) -> None:
    assert sum(1 for _ in executor.map(nap, naps)) == len(naps)


def run_threads(executor: Executor, naps: Sequence[float]) -> None:
    assert sum(1 for _ in executor.map(time.sleep, naps)) == len(naps)


def measure(sides: dict[str, Side], naps: Sequence[float], rounds: int) -> dict[str, float]:
    """Return how many calls a second each side had, as the median of rounds."""
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds + 1):
        for name, side in sides.items():
            started = time.perf_counter()
            side(naps)
            rates[name].append(len(naps) / (time.perf_counter() - started))
    return {name: statistics.median(found[1:]) for name, found in rates.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure calls of coroutine functions.")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds (default 5)")
    parser.add_argument("--calls", type=int, default=10_000, help="calls per round")
    options = parser.parse_args()
    if min(options.rounds, options.calls) < 1:
        parser.error("expected at least 1 round and call")
    print(f"python {platform.python_version()} · calls {options.calls} · rounds {options.rounds}")
    with (
        ThreadPoolExecutor(AT_ONCE) as threads,
        ThreadExecutor(async_calls=AT_ONCE) as loop,
        ProcessExecutor(2, async_calls=AT_ONCE) as children,
    ):
        sides: dict[str, Side] = {
            "asyncio": run_bare,
            "ThreadPoolExecutor(100), sleeping": lambda naps: run_threads(threads, naps),
            "ThreadExecutor": lambda naps: run_mapped(loop, naps),
            "ProcessExecutor(2), 200 at once": lambda naps: run_mapped(children, naps),
        }
        print(f"{'calls/s':36}{'0 ms':>12}{'10 ms':>12}")
        empty = measure(sides, [0.0] * options.calls, options.rounds)
        short = measure(sides, [0.01] * options.calls, options.rounds)
        for name in sides:
            print(f"{name:36}{empty[name]:12,.0f}{short[name]:12,.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
