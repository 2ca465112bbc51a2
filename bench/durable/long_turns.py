"""Long turns: how the long rows are measured; each is a function of a turn, as in seat.py.

    full          drain an empty store; give it a million finished and scheduled jobs; drain again
    steady        find the peak; hold a transaction open; submit at half of it for so many minutes
    idle worker   a worker that has run some jobs and has none: its CPU time over a minute
    memory        no-op jobs, a tenth at a time; after each, what the worker and its children hold

Nobody waits for the outcomes of jobs here: futures would be load, and memory, of this process.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import psutil
from sqlalchemy import create_engine, text

from durable.apps import lightwork_app
from durable.long_rows import LOOKS
from durable.servers import cpu_seconds
from lightwork.codec import Codec
from lightwork.durable.jobs import batches, new_jobs
from lightwork.model import State
from lightwork.store.sqlstore import open_store

if TYPE_CHECKING:
    from durable.seat import Turn
    from lightwork.store.contract import Store

MB = 1e6
# Jobs that are run before a load begins.
WARM = 200
# Finished by one statement.
_AT_ONCE = 50_000
# Seconds between two submits of a steady load.
_TICK = 0.1
_HOT = frozenset({"ready", "running", "scheduled"})
# Plain data: 0, as the job returns it.
_RESULT = b"\x01\x00"
_FINISH = """
INSERT INTO outcome (seq, attempt, state, started_at, finished_at, result)
SELECT seq, 1, 'succeeded', :now, :now, :result FROM ready
"""


def full(turn: "Turn") -> list[float]:
    """Jobs a second of an empty store, and of a full one, and what that takes."""
    empty = _drained(turn)
    with closing(open_store(turn.server.url)) as store:
        _fill(turn, store)
        store.repair()
    turn.server.settle()
    turn.begin_board()
    return [empty, _drained(turn), turn.server.size() / MB]


def steady(turn: "Turn") -> list[float]:
    """The peak, what was submitted and kept at half of it, and the sizes of tables."""
    peak = _drained(turn)
    turn.begin_board()
    seconds = turn.amounts.minutes * 60
    with closing(open_store(turn.server.url)) as store, turn.serving(), _held_open(turn):
        # Starting Python is no load.
        _keep(store, WARM)
        turn.wait_for(WARM)
        before = _sizes(store)
        submitted, kept, late = _load(turn, store, peak / 2, seconds)
        left = store.summary().states
        after = _sizes(store)
    waiting = left[State.READY] + left[State.RUNNING]
    pairs = [size for pair in zip(before, after, strict=True) for size in pair]
    return [peak, submitted, kept, late, float(waiting), *pairs]


def idle_worker(turn: "Turn") -> list[float]:
    """Percent of a core that an idle worker takes, and its database for it."""
    _submit(turn, turn.jobs)
    with turn.serving(1) as pids:
        turn.wait_for(turn.jobs)
        # Until all that is put off while there is work has been done.
        time.sleep(min(turn.amounts.seconds, 10.0))
        of_server = turn.server.processes()
        worker, server, began = cpu_seconds(pids), cpu_seconds(of_server), time.monotonic()
        time.sleep(turn.amounts.seconds)
        spent = cpu_seconds(pids) - worker, cpu_seconds(of_server) - server
        passed = time.monotonic() - began
    return [100 * one / passed for one in spent]


def memory(turn: "Turn") -> list[float]:
    """Megabytes of the worker and of its children, after each tenth of the jobs."""
    found: list[float] = []
    step = max(turn.jobs // LOOKS, 1)
    with turn.serving(1) as (pid,):
        for look in range(1, LOOKS + 1):
            _submit(turn, step)
            turn.wait_for(step * look)
            worker = psutil.Process(pid)
            family = worker.children(recursive=True)
            found.append(worker.memory_info().rss / MB)
            found.append(sum(one.memory_info().rss for one in family) / MB)
    return found


def _drained(turn: "Turn") -> float:
    """Return how many jobs a second are drained by the workers, from the first body to the last."""
    _submit(turn, turn.jobs)
    with turn.serving():
        turn.wait_for(turn.jobs)
        _wait_until_recorded(turn)
    return turn.jobs / turn.board.seconds()


def _wait_until_recorded(turn: "Turn") -> None:
    """Return when no job is ready or runs: workers that are killed earlier leave some behind."""
    with closing(open_store(turn.server.url)) as store:
        while any(store.summary().states[one] for one in (State.READY, State.RUNNING)):
            time.sleep(0.05)


def _submit(turn: "Turn", count: int, *, delay: float = 0.0) -> None:
    with closing(open_store(turn.server.url)) as store:
        _keep(store, count, delay=delay)


def _keep(store: "Store", count: int, *, delay: float = 0.0) -> None:
    task = lightwork_app.job.options(delay=delay)
    for batch in batches(new_jobs(Codec(), task, ((0,) for _ in range(count)), None)):
        store.submit(batch)


def _fill(turn: "Turn", store: "Store") -> None:
    """Give the store jobs that have finished, by statements of our own, and jobs of next week."""
    engine = create_engine(turn.server.url)
    for first in range(0, turn.amounts.finished, _AT_ONCE):
        _keep(store, min(_AT_ONCE, turn.amounts.finished - first))
        with engine.begin() as connection:
            now = time.time_ns() // 1_000_000
            connection.execute(text(_FINISH), {"now": now, "result": _RESULT})
            connection.execute(text("DELETE FROM ready"))
    engine.dispose()
    _keep(store, turn.amounts.scheduled, delay=7 * 86_400.0)


@contextmanager
def _held_open(turn: "Turn") -> Iterator[None]:
    """Hold a transaction open that has looked at the jobs once."""
    engine = create_engine(turn.server.url)
    if engine.dialect.name == "postgresql":
        # Else each statement has a snapshot of its own, and between two of them none is held.
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            # The driver itself begins none before a change.
            connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql("SELECT COUNT(*) FROM worker").scalar()
        yield
        connection.rollback()
    engine.dispose()


def _load(turn: "Turn", store: "Store", rate: float, seconds: float) -> tuple[float, float, float]:
    """Submit so many jobs a second for so long; return the rates: submitted, run, run in the last quarter."""
    submitted, began, first = 0, time.monotonic(), turn.board.count()
    quarter: tuple[float, int] | None = None
    while (passed := time.monotonic() - began) < seconds:
        if quarter is None and passed >= seconds * 0.75:
            quarter = (passed, turn.board.count())
        if (due := int(rate * passed) - submitted) > 0:
            _keep(store, due)
            submitted += due
        time.sleep(_TICK)
    count = turn.board.count()
    at, before = quarter or (0.0, 0)
    return submitted / passed, (count - first) / passed, (count - before) / (passed - at)


def _sizes(store: "Store") -> tuple[float, float, float]:
    """Return megabytes of the hot tables, of their indexes, and of all tables; 0: the database does not tell."""
    stats = store.stats()
    hot = [table for table in stats.tables if table.name in _HOT]
    tables = sum((table.size or 0) - (table.index_size or 0) for table in hot)
    return tables / MB, sum(table.index_size or 0 for table in hot) / MB, stats.size / MB


TURNS: dict[str, Callable[["Turn"], list[float]]] = {
    "full": full,
    "steady": steady,
    "idle worker": idle_worker,
    "memory": memory,
}
