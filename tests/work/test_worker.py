"""Worker: claims, runs and records on a real SQLite file, on threads of this process."""

import logging
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from lightwork.codec import Codec, Subject
from lightwork.errors import PoolError, UsageError
from lightwork.model import NewJob, Policy, State
from lightwork.pool.process import ProcessExecutor
from lightwork.pool.thread import ThreadExecutor
from lightwork.store.contract import Store
from lightwork.store.sqlstore import SqlStore, open_store
from lightwork.tasks import Task, make_policy, task
from lightwork.work.catalog import Catalog
from lightwork.work.ids import new_job_id
from lightwork.work.service import Worker
from lightwork.work.settings import WorkerSettings
from lightwork.work.worker import WorkerLoop
from waiting import wait_until

CODEC = Codec()
ran: list[int] = []
entered = threading.Event()
leave = threading.Event()


@task
def note(n: int) -> int:
    ran.append(n)
    return n


@task
def block() -> None:
    entered.set()
    leave.wait(20)


@task(retries=1, backoff=0.02)
def fail_once() -> None:
    ran.append(0)
    if len(ran) == 1:
        raise OSError("once")


@task
def grow(size: int) -> bytes:
    entered.set()
    leave.wait(20)
    return b"x" * size


@task
def foreign_note(n: int) -> int:
    """Is not among the tasks of a worker unless that is told of this module."""
    ran.append(n)
    return n


TASKS = (note, block, fail_once, grow)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    ran.clear()
    entered.clear()
    leave.clear()
    yield
    leave.set()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "work.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{path}")
    yield opened
    opened.close()


@pytest.fixture
def make(store: Store) -> Iterator[Callable[..., Worker]]:
    made: list[Worker] = []

    def worker(**options: Any) -> Worker:
        options.setdefault("executor", "threads:1")
        made.append(Worker(store, tasks=TASKS, **options))
        return made[-1]

    yield worker
    leave.set()
    for one in made:
        one.stop()
        one.stop()
        one.wait()


def submit(store: Store, fn: Task[..., Any], *args: Any, **policy: Any) -> uuid.UUID:
    job_id = new_job_id()
    payload = CODEC.encode_call(Subject(job_id, fn.name), args, {}, fn=fn.fn)
    new = NewJob(id=job_id, task=fn.name, payload=payload, policy=make_policy(fn.policy, **policy))
    store.submit([new])
    return job_id


def wait_for(store: Store, job_id: uuid.UUID, *states: State) -> None:
    wait_until(lambda: store.states([job_id])[job_id] in states, f"{states}")


@pytest.mark.parametrize("executor", ["inline", "threads:2", "processes:1"])
def test_a_job_runs_on_every_kind_of_pool(
    store: Store, make: Callable[..., Worker], executor: str
) -> None:
    job_id = submit(store, note, 7)

    make(executor=executor, burst=True).run()

    outcome = store.outcomes([job_id])[job_id]
    assert CODEC.decode_result(Subject(job_id, note.name), outcome.result) == 7


def test_a_burst_ends_when_nothing_is_left(store: Store, make: Callable[..., Worker]) -> None:
    for number in range(50):
        submit(store, note, number)

    make(burst=True).run()

    assert sorted(ran) == list(range(50))


def test_a_job_submitted_to_an_idle_worker_runs(store: Store, make: Callable[..., Worker]) -> None:
    make().start()

    job_id = submit(store, note, 1)

    wait_for(store, job_id, State.SUCCEEDED)


def test_a_retry_runs_when_it_is_due(store: Store, make: Callable[..., Worker]) -> None:
    make().start()

    job_id = submit(store, fail_once)

    wait_for(store, job_id, State.SUCCEEDED)
    assert len(ran) == 2


def test_higher_priorities_run_first(store: Store, make: Callable[..., Worker]) -> None:
    for number in (1, 3, 2):
        submit(store, note, number, priority=number)

    make(burst=True).run()

    assert ran == [3, 2, 1]


def test_only_the_queues_that_were_named_are_served(
    store: Store, make: Callable[..., Worker]
) -> None:
    other = submit(store, note, 1, queue="other")
    mine = submit(store, note, 2, queue="mine")

    make(queues=["mine"], burst=True).run()

    assert store.states([other, mine]) == {other: State.READY, mine: State.SUCCEEDED}


@pytest.mark.parametrize("name", ["os:system", "lw_absent.module:run", "", "nonsense", "a:b:c"])
def test_a_job_of_an_unknown_task_stays_ready_and_the_worker_goes_on(
    store: Store, make: Callable[..., Worker], name: str
) -> None:
    unknown = NewJob(id=new_job_id(), task=name, payload=b"\x01", policy=Policy(priority=1))
    store.submit([unknown])
    known = submit(store, note, 1)

    make(burst=True, allow=["json"]).run()

    assert store.states([unknown.id, known]) == {unknown.id: State.READY, known: State.SUCCEEDED}


def test_a_job_of_an_unknown_task_is_run_by_the_worker_that_knows_it(
    store: Store, make: Callable[..., Worker]
) -> None:
    foreign, shared = submit(store, foreign_note, 1), submit(store, note, 2)
    stranger, friend = make(), make(modules=[__name__])
    stranger.start()
    wait_for(store, shared, State.SUCCEEDED)
    assert store.states([foreign]) == {foreign: State.READY}

    friend.start()

    wait_for(store, foreign, State.SUCCEEDED)


def test_a_worker_says_which_tasks_it_knows(store: Store, make: Callable[..., Worker]) -> None:
    make().start()

    (shown,) = store.workers()

    assert shown.tasks == tuple(sorted(task.name for task in TASKS))


def test_a_busy_worker_says_that_it_knows_a_task_which_it_has_found(
    store: Store, make: Callable[..., Worker]
) -> None:
    make(imported=True).start()
    submit(store, block)
    entered.wait(20)

    submit(store, foreign_note, 1)

    wait_until(lambda: store.workers()[0].knows(foreign_note.name), "the worker knows it")


def test_lanes_that_were_read_before_do_not_hide_new_ones(
    store: Store, make: Callable[..., Worker]
) -> None:
    # With two tasks in turn and a slot each, every claim finds the other lane new.
    ids = [submit(store, fn, number) for number in range(20) for fn in (note, foreign_note)]

    make(modules=[__name__], burst=True).run()

    assert set(store.states(ids).values()) == {State.SUCCEEDED}


def test_a_damaged_row_fails_and_its_neighbours_run(
    store: Store, path: Path, make: Callable[..., Worker]
) -> None:
    bad, good = submit(store, note, 1), submit(store, note, 2)
    with sqlite3.connect(path) as rows:
        rows.execute("update job set policy = 'not json' where id = ?", (bad.bytes,))
    rows.close()

    make(burst=True).run()

    assert store.states([bad, good]) == {bad: State.FAILED, good: State.SUCCEEDED}


def test_a_full_disk_delays_an_outcome_and_loses_none(
    store: Store, make: Callable[..., Worker]
) -> None:
    def set_pages(change: Callable[[int], int]) -> None:
        def write(connection: Connection) -> None:
            used = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {change(used)}")

        assert isinstance(store, SqlStore)
        store._usable().writer.post(write)

    refused = threading.Event()
    make().start()
    jobs = [submit(store, grow, 200_000) for _ in range(3)]
    assert entered.wait(20)
    set_pages(lambda used: used)
    handler = _Notices("store_unavailable", refused)
    logging.getLogger("lightwork.work.worker").addHandler(handler)

    leave.set()
    assert refused.wait(20)
    set_pages(lambda used: used + 10_000)

    for job_id in jobs:
        wait_for(store, job_id, State.SUCCEEDED)
    logging.getLogger("lightwork.work.worker").removeHandler(handler)
    views = [store.job(job_id) for job_id in jobs]
    assert [view.attempt for view in views if view] == [1, 1, 1]


class _Notices(logging.Handler):
    """Sets an event when something is logged."""

    def __init__(self, words: str, event: threading.Event) -> None:
        super().__init__()
        self._words = words
        self._event = event

    def emit(self, record: logging.LogRecord) -> None:
        if self._words in record.getMessage():
            self._event.set()


def test_stopping_lets_running_jobs_finish_and_hands_back_the_others(
    store: Store, make: Callable[..., Worker]
) -> None:
    running, waiting = submit(store, block), submit(store, note, 1)
    worker = make()
    worker.start()
    assert entered.wait(20)

    worker.stop()
    wait_for(store, waiting, State.READY)
    leave.set()
    worker.join()

    assert store.states([running]) == {running: State.SUCCEEDED}
    assert not store.workers()


def test_a_job_that_was_handed_back_has_used_nothing_up(
    store: Store, make: Callable[..., Worker]
) -> None:
    submit(store, block)
    waiting = submit(store, note, 1)
    first = make(executor="threads:1")
    first._loop._slots = 2  # claims one more than its threads can run
    first.start()
    assert entered.wait(20)
    wait_for(store, waiting, State.RUNNING)

    first.stop()
    wait_for(store, waiting, State.READY)

    view = store.job(waiting)
    assert view is not None
    assert (view.failures, view.crashes, store.attempts(waiting)) == (0, 0, [])


def test_stop_may_come_before_start_and_many_times(make: Callable[..., Worker]) -> None:
    worker = make()

    for _ in range(5):
        worker.stop()
    worker.start()
    worker.join()
    worker.stop()
    worker.join()


def test_join_may_come_before_start(make: Callable[..., Worker]) -> None:
    make().join()


def test_a_worker_that_was_declared_dead_goes_on_under_another_id(
    store: Store, path: Path, make: Callable[..., Worker]
) -> None:
    worker = make(lease=0.5)
    worker.start()
    wait_until(store.workers, "a worker")
    before = worker._loop.worker_id
    with sqlite3.connect(path, timeout=20) as rows:
        rows.execute("update worker set state = 'dead'")
    rows.close()

    wait_until(lambda: worker._loop.worker_id != before, "another incarnation")
    job_id = submit(store, note, 1)

    wait_for(store, job_id, State.SUCCEEDED)


def test_the_attempt_of_a_worker_declared_dead_is_refused_late(
    store: Store, path: Path, make: Callable[..., Worker]
) -> None:
    worker = make(lease=0.5, executor="threads:2")
    worker.start()
    job_id = submit(store, block)
    assert entered.wait(20)
    before = worker._loop.worker_id
    with sqlite3.connect(path, timeout=20) as rows:
        rows.execute("update worker set state = 'dead'")
    rows.close()
    wait_until(lambda: worker._loop.worker_id != before, "another incarnation")
    leave.set()

    wait_for(store, job_id, State.SUCCEEDED)

    view = store.job(job_id)
    assert view is not None
    assert view.attempt == 2


@pytest.mark.process
def test_a_worker_whose_pool_breaks_says_so_and_leaves_its_jobs_unharmed(store: Store) -> None:
    def broken() -> ProcessExecutor:
        return ProcessExecutor(1, initializer=_no_licence)

    job_id = submit(store, note, 1)
    loop = WorkerLoop(
        store,
        broken,
        slots=1,
        catalog=Catalog(TASKS),
        codec=CODEC,
        settings=WorkerSettings(),
    )

    with pytest.raises(PoolError):
        loop.run()

    view = store.job(job_id)
    assert view is not None
    assert (view.state, view.failures, view.crashes) == (State.READY, 0, 0)


def _no_licence() -> None:
    raise OSError("no licence")


@pytest.mark.parametrize(
    "options",
    [
        {"queues": []},
        {"queues": [""]},
        {"lease": 0.1},
        {"lease": float("nan")},
        {"grace": -1},
        {"executor": "gpus:4"},
        {"executor": "threads:0"},
        {"modules": ["lw_absent"]},
    ],
)
def test_an_option_that_makes_no_sense_is_refused_at_once(
    store: Store, options: dict[str, Any]
) -> None:
    with pytest.raises(UsageError):
        Worker(store, **options)


def test_an_idle_worker_uses_next_to_no_time(store: Store, make: Callable[..., Worker]) -> None:
    worker = make()
    worker.start()
    wait_until(store.workers, "a worker")
    turns = _count_turns(worker)

    # Nothing can be waited for where nothing may happen: time itself is the input.
    threading.Event().wait(1.0)

    assert turns() < 20


def test_a_stopping_worker_sleeps_while_its_jobs_finish(
    store: Store, make: Callable[..., Worker]
) -> None:
    submit(store, block)
    worker = make()
    worker.start()
    assert entered.wait(20)
    worker.stop()
    turns = _count_turns(worker)

    threading.Event().wait(0.5)

    assert turns() < 20


def _count_turns(worker: Worker) -> Callable[[], int]:
    count = [0]
    turn = worker._loop._turn

    def counted() -> None:
        count[0] += 1
        turn()

    worker._loop._turn = counted  # type: ignore[method-assign]
    return lambda: count[0]


class Picky(ThreadExecutor):
    """A pool that cannot take every call."""

    def start_call(self, fn: Any, args: Any, kwargs: Any, options: Any) -> Any:
        if options.priority == 13:
            raise OverflowError("no call of this priority")
        return super().start_call(fn, args, kwargs, options)


def test_a_call_that_cannot_be_started_fails_its_job_and_not_the_worker(store: Store) -> None:
    bad, good = submit(store, note, 1, priority=13), submit(store, note, 2)

    WorkerLoop(
        store,
        lambda: Picky(1),
        slots=1,
        catalog=Catalog(TASKS),
        codec=CODEC,
        settings=WorkerSettings(burst=True),
    ).run()

    found = store.outcomes([bad, good])
    assert [found[bad].state, found[good].state] == [State.FAILED, State.SUCCEEDED]
    error = found[bad].error
    assert error is not None
    assert error.type == "OverflowError"


def test_a_row_whose_policy_nobody_can_obey_fails_alone(
    store: Store, path: Path, make: Callable[..., Worker]
) -> None:
    bad, good = submit(store, note, 1, timeout=5), submit(store, note, 2)
    with sqlite3.connect(path) as connection:
        changed = connection.execute("UPDATE job SET policy = '{\"timeout\":1e20}' WHERE seq = 1")
        assert changed.rowcount == 1

    make(executor="processes:1", burst=True).run()

    found = store.outcomes([bad, good])
    assert [found[bad].state, found[good].state] == [State.FAILED, State.SUCCEEDED]
