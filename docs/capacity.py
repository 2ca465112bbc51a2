"""Simulate what one `lightwork serve` carries, with costs that were measured; prints the tables of capacity.md.

    python docs/capacity.py

The server is one process that does one thing at a time, because its interpreter does: requests wait for it in
order. Jobs are submitted one by one at random (Poisson), run for 10 ms at random (exponential), and are claimed
and acked by workers, each of which has one request under way: what has come meanwhile is its next batch. Polls,
heartbeats and looks of all workers take their share of the server first. The database is on cores of its own. Seeded: each run prints the same.
"""

import heapq
import random
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

# Seconds of the server before PostgreSQL, measured on one busy core (bench/results/2026-11-27-net.md).
CALL: Final = 300e-6
# With the looks for its outcome by who waits for it.
SUBMIT: Final = 1800e-6
# Of a job in a claim, and in an ack.
CLAIMED: Final = 25e-6
ACKED: Final = 25e-6
# Share of the server that one worker takes for being there (bench/results/2026-11-27-net-3.md); upkeep of the store is
# the server's own. One that runs long jobs asks for more, 5 calls a second; jobs of 10 ms are over before.
IDLE: Final = 0.0003
JOB_SECONDS: Final = 0.010
SLOTS: Final = 4
# What is simulated, and not counted before.
SECONDS: Final = 20.0
WARM: Final = 5.0


@dataclass(frozen=True, slots=True)
class Load:
    """What came of one setting: jobs that ended a second, share of the server in use, seconds until they were claimed."""

    done: float
    busy: float
    wait_p50: float
    wait_p99: float


@dataclass(slots=True)
class Worker:
    """One worker: slots that are free, ends that are not acked, whether it has asked something."""

    free: int = SLOTS
    ends: int = 0
    is_asking: bool = False


@dataclass(slots=True)
class Site:
    """The server, its queue of requests, and what has happened so far."""

    workers: list[Worker]
    factor: float
    free_at: float = 0.0
    busy: float = 0.0
    done: int = 0
    ready: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    events: list[tuple[float, int, str, int, int]] = field(default_factory=list)
    count: int = 0

    def at(self, when: float, what: str, who: int = 0, jobs: int = 0) -> None:
        """Book what is to happen then."""
        self.count += 1
        heapq.heappush(self.events, (when, self.count, what, who, jobs))

    def serve(self, now: float, seconds: float) -> float:
        """Return when a request that comes now is answered."""
        seconds *= self.factor
        self.free_at = max(self.free_at, now) + seconds
        self.busy += seconds * (now > WARM)
        return self.free_at


def simulate(rate: float, workers: int, seed: int = 1) -> Load:
    """Return what becomes of so many jobs a second with so many workers."""
    chance = random.Random(seed)
    share = min(IDLE * workers, 0.99)
    site = Site([Worker() for _ in range(workers)], 1 / (1 - share))
    site.at(chance.expovariate(rate), "submit")
    while site.events[0][0] < SECONDS:
        now, _, what, who, jobs = heapq.heappop(site.events)
        if what == "submit":
            site.at(site.serve(now, SUBMIT), "ready")
            site.at(now + chance.expovariate(rate), "submit")
        elif what == "ready":
            site.ready.append(now)
            idle = [n for n, one in enumerate(site.workers) if one.free and not one.is_asking]
            if idle:
                ask(site, now, chance.choice(idle))
        elif what == "answered":
            site.workers[who].is_asking = False
            for _ in range(jobs):
                site.at(now + chance.expovariate(1 / JOB_SECONDS), "end", who)
            ask(site, now, who)
        elif what == "end":
            site.workers[who].ends += 1
            ask(site, now, who)
    measured = SECONDS - WARM
    cuts = statistics.quantiles(site.waits, n=100) if len(site.waits) > 1 else [0.0] * 99
    busy = min(site.busy / measured * (1 - share) + share, 1.0)
    return Load(site.done / measured, busy, cuts[49], cuts[98])


def ask(site: Site, now: float, who: int) -> None:
    """Let a worker ack what has ended and claim what it has room for, if there is any of it."""
    worker = site.workers[who]
    if worker.is_asking or not (worker.ends or (site.ready and worker.free)):
        return
    worker.is_asking = True
    acked, worker.ends = worker.ends, 0
    worker.free += acked
    taken, site.ready = site.ready[: worker.free], site.ready[worker.free :]
    worker.free -= len(taken)
    asked = (CALL + ACKED * acked) * bool(acked) + (CALL * 2 + CLAIMED * len(taken)) * bool(taken)
    answered = site.serve(now, asked)
    if now > WARM:
        site.done += acked
        site.waits += [answered - since for since in taken]
    site.at(answered, "answered", who, len(taken))


def fullest(stores: int, keys: int = 1000, seed: int = 1) -> float:
    """Return how much more than its share the fullest of several stores gets.

    Each of the keys (customers, say) has a store of its own choice; the n-th of them submits as much as 1/n of the
    first one, which is how customers are.
    """
    chance = random.Random(seed)
    loads = [0.0] * stores
    for number in range(1, keys + 1):
        loads[chance.randrange(stores)] += 1 / number
    return max(loads) / (sum(loads) / stores)


def tables() -> dict[str, str]:
    """Return the tables, by name."""
    jobs = [(f"{rate:,}", simulate(rate, 20)) for rate in (25, 50, 100, 200, 250, 300)]
    workers = [(f"{count:,}", simulate(50, count)) for count in (20, 100, 350, 1000, 2000, 2800)]
    return {
        "growth with jobs": "\n".join(_rows("jobs a second, 20 workers", jobs)) + "\n",
        "growth with workers": "\n".join(_rows("workers, 50 jobs a second", workers)) + "\n",
        "several stores": "\n".join(_stores()) + "\n",
    }


def _rows(title: str, loads: list[tuple[str, Load]]) -> Iterator[str]:
    yield f"| {title} | done a second | the server | ready until claimed, median | 99 of 100 |"
    yield "|---|---|---|---|---|"
    for name, one in loads:
        yield (
            f"| {name} | {one.done:,.0f} | {one.busy:.0%} | {one.wait_p50 * 1000:,.1f} ms "
            f"| {one.wait_p99 * 1000:,.1f} ms |"
        )


def _stores() -> Iterator[str]:
    yield "| stores | load of the fullest, 1 is even | carry together, beside one |"
    yield "|---|---|---|"
    for stores in (1, 2, 4, 8, 16):
        most = fullest(stores)
        yield f"| {stores} | {most:.2f} | {stores / most:.1f} |"


if __name__ == "__main__":
    for name, table in tables().items():
        print(f"{name}\n\n{table}")
