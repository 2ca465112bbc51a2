"""The standard names over a URL: processes and pools are jobs, on whatever workers serve the store."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import closing
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import pytest

import lightwork as lw
from lightwork import multiprocessing as mp
from lightwork.multiprocessing.jobs.context import JobContext
from lightwork.net.server.app import App
from lightwork.store.sqlstore import open_store
from net.served import served
from processes import mp_tasks
from waiting import wait_until

pytestmark = pytest.mark.process

WAIT = 30
TASKS: list[lw.Task[..., Any]] = [
    mp_tasks.square,
    mp_tasks.odd_fails,
    mp_tasks.leave,
    mp_tasks.note_and_wait,
    mp_tasks.die,
]


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/work.db"


@pytest.fixture(params=["store", "server"])
def url(request: pytest.FixtureRequest, store_url: str) -> Iterator[str]:
    with closing(open_store(store_url)) as store:
        if request.param == "store":
            yield store_url
            return
        with served(App(store)) as server_url:
            yield server_url


@pytest.fixture
def context(url: str) -> Iterator[Any]:
    # Not get_context, which keeps what it has opened for the whole program.
    opened = JobContext(url)
    yield opened
    opened.close()


@pytest.fixture
def worker(url: str) -> Iterator[lw.Worker]:
    running = lw.Worker(url, executor="processes:2", tasks=TASKS)
    running.start()
    yield running
    running.stop()
    running.wait()


def started(context: Any, target: Any, *args: Any) -> Any:
    child = context.Process(target=target, args=args)
    child.start()
    return child


# --- processes


@pytest.mark.usefixtures("worker")
def test_a_process_is_a_job_on_a_worker(context: Any) -> None:
    child = started(context, mp_tasks.square, 7)
    child.join(WAIT)

    assert (child.exitcode, child.is_alive(), child.pid) == (0, False, None)
    assert context.active_children() == []


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("target", "args", "exitcode"),
    [
        (mp_tasks.odd_fails, (1,), 1),
        (mp_tasks.leave, (3,), 3),
        (mp_tasks.leave, (None,), 0),
        (mp_tasks.leave, ("a word",), 1),
        (mp_tasks.die, (), -signal.SIGKILL),
    ],
)
def test_an_exit_code_says_how_a_job_has_ended(
    context: Any, target: Any, args: tuple[Any, ...], exitcode: int
) -> None:
    child = started(context, target, *args)

    child.join(WAIT)

    assert child.exitcode == exitcode


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    # Who is asked and returns has ended well, as a process that handles SIGTERM.
    ("end", "exitcode"),
    [("terminate", 0), ("kill", -signal.SIGKILL)],
)
def test_a_job_that_runs_is_ended(context: Any, tmp_path: Path, end: str, exitcode: int) -> None:
    child = started(context, mp_tasks.note_and_wait, str(tmp_path / "runs"))
    wait_until((tmp_path / "runs").exists, "the job runs")

    pid, is_alive = child.pid, child.is_alive()
    getattr(child, end)()
    child.join(WAIT)

    assert (pid, is_alive) == (os.getpid(), True)
    assert child.exitcode == exitcode


def test_a_job_that_waits_is_taken_back(context: Any) -> None:
    child = started(context, mp_tasks.square, 7)
    before = (child in context.active_children(), child.exitcode, child.pid)

    child.terminate()

    assert before == (True, None, None)
    assert child.exitcode == -signal.SIGTERM


@pytest.mark.usefixtures("worker")
def test_a_sentinel_tells_the_end_of_a_job(context: Any) -> None:
    child = started(context, mp_tasks.square, 7)

    assert wait([child.sentinel], timeout=WAIT) == [child.sentinel]


def test_a_plain_function_is_shown_the_line_to_add(context: Any) -> None:
    with pytest.raises(lw.UsageError, match=r"@lw\.task\n    def plain"):
        started(context, mp_tasks.plain, 7)


def test_a_process_without_a_target_is_refused(context: Any) -> None:
    with pytest.raises(lw.UsageError, match="no target"):
        started(context, None)


def test_a_process_is_joined_after_its_start(context: Any) -> None:
    child = context.Process(target=mp_tasks.square, args=(7,), name="seven")

    with pytest.raises(lw.UsageError, match="started"):
        child.join()
    with pytest.raises(ValueError, match="not started"):
        _ = child.sentinel

    assert repr(child) == "<JobProcess name='seven' initial>"


# --- pools


@pytest.mark.usefixtures("worker")
def test_a_pool_has_the_results_of_jobs(context: Any) -> None:
    with context.Pool(2) as pool:
        assert pool.apply(mp_tasks.square, (3,)) == 9
        assert pool.map(mp_tasks.square, range(5)) == [0, 1, 4, 9, 16]
        assert pool.starmap(mp_tasks.square, [(2,), (3,)]) == [4, 9]
        assert list(pool.imap(mp_tasks.square, iter(range(3)))) == [0, 1, 4]
        assert sorted(pool.imap_unordered(mp_tasks.square, range(3))) == [0, 1, 4]


@pytest.mark.usefixtures("worker")
def test_callbacks_hear_of_jobs(context: Any) -> None:
    told: list[object] = []

    with context.Pool() as pool:
        pool.apply_async(mp_tasks.square, (3,), callback=told.append).get(WAIT)
        pool.map_async(mp_tasks.square, range(3), callback=told.append).get(WAIT)
        pool.map_async(mp_tasks.odd_fails, [1, 2], error_callback=told.append).wait(WAIT)

    assert told[:2] == [9, [0, 1, 4]]
    assert isinstance(told[2], lw.JobFailed)


@pytest.mark.usefixtures("worker")
def test_a_pool_that_is_joined_has_all_results(context: Any) -> None:
    pool = context.Pool()
    results = pool.imap(mp_tasks.square, (n for n in range(20)))
    one = pool.apply_async(mp_tasks.square, (3,))
    pool.close()
    pool.join()

    assert list(results) == [n * n for n in range(20)]
    assert one.get(0) == 9
    with pytest.raises(ValueError, match="not running"):
        pool.apply(mp_tasks.square, (3,))


@pytest.mark.usefixtures("worker")
def test_terminate_ends_jobs_that_run_and_those_that_wait(context: Any, tmp_path: Path) -> None:
    pool = context.Pool()
    running = pool.apply_async(mp_tasks.note_and_wait, (str(tmp_path / "runs"),))
    wait_until((tmp_path / "runs").exists, "the job runs")
    waiting = pool.map_async(mp_tasks.note_and_wait, [str(tmp_path / "other")] * 50)

    pool.terminate()
    pool.join()

    for result in (running, waiting):
        with pytest.raises(CancelledError):
            result.get(WAIT)


def test_a_result_that_nobody_works_on_is_not_there_in_time(context: Any) -> None:
    with context.Pool() as pool:
        results = pool.imap(mp_tasks.square, [3])
        unordered = pool.imap_unordered(mp_tasks.square, [3])

        for late in (results.next, unordered.next, pool.map_async(mp_tasks.square, [3]).get):
            with pytest.raises(mp.TimeoutError):
                late(timeout=0.0)


@pytest.mark.parametrize("option", [{"initializer": print}, {"maxtasksperchild": 1}])
def test_what_is_for_the_workers_to_say_is_refused(context: Any, option: dict[str, Any]) -> None:
    with pytest.raises(lw.UsageError, match="theirs"):
        context.Pool(**option)


def test_a_context_of_a_url_is_kept(store_url: str) -> None:
    context: Any = mp.get_context(store_url)

    assert mp.get_context(store_url) is context
    assert context.where == store_url
    context.close()


# --- primitives


@pytest.fixture
def shared(context: Any) -> Iterator[Any]:
    yield context
    context._host().close()


def test_primitives_live_in_the_store(shared: Any) -> None:
    queue, value, lock = shared.Queue(3, name="q"), shared.Value("i", 7), shared.Lock(name="l")
    queue.put("first")
    with lock:
        value.value += 1

    assert shared.Queue(3, name="q").get() == "first"
    assert value.value == 8
    assert lock.where == shared.where


def test_the_manager_of_a_store_makes_dicts_there_and_no_lists(shared: Any) -> None:
    with shared.Manager() as manager:
        entries = manager.dict({"a": 1}, b=2)
        with pytest.raises(lw.UsageError, match="no list"):
            manager.list([1])
        with pytest.raises(lw.UsageError, match="no namespace"):
            manager.Namespace(x=1)

    assert isinstance(entries, lw.Dict)
    assert dict(entries) == {"a": 1, "b": 2}
