"""joblib's Parallel on our executors; its own tests judge the rest (tests/judges)."""

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import pytest

import lightwork as lw
from lightwork.contrib.joblib import register
from lightwork.contrib.joblib.backend import LightworkBackend
from lightwork.contrib.joblib.place import Place

KEY = b"sixteen bytes at least"


@pytest.fixture(autouse=True, scope="module")
def registered() -> None:
    register()


def parallel(fn: Callable[..., Any], items: Any, **options: Any) -> Any:
    return joblib.Parallel(**options)(joblib.delayed(fn)(item) for item in items)


def refuse(number: int) -> None:
    raise ZeroDivisionError(number)


def kill_itself(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def sleep_or_fail(number: int) -> None:
    if not number:
        raise ZeroDivisionError
    time.sleep(60)


def blas_threads(_: int) -> str:
    return os.environ["OPENBLAS_NUM_THREADS"]


@pytest.mark.parametrize(
    "where", ["threads:2", pytest.param("processes:2", marks=pytest.mark.process)]
)
def test_calls_run_where_the_block_says(where: str) -> None:
    with joblib.parallel_config(backend="lightwork", where=where):
        roots = parallel(math.sqrt, range(1000))

    assert roots == [math.sqrt(number) for number in range(1000)]


@pytest.mark.process
def test_calls_of_a_store_are_jobs(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/work.db"

    with joblib.parallel_config(backend="lightwork", where=url, workers=2, authkey=KEY):
        roots = parallel(math.sqrt, range(20), batch_size=5, n_jobs=2)

    with lw.DurableExecutor(url) as executor:
        names = {job.task for job in executor.store.jobs()}
    assert roots == [math.sqrt(number) for number in range(20)]
    assert names == {"lightwork.contrib.joblib.batch:run_batch"}


@pytest.mark.process
def test_an_error_of_a_store_is_itself_where_this_program_ran_the_job(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/work.db"

    with (
        joblib.parallel_config(backend="lightwork", where=url, workers=2, authkey=KEY),
        pytest.raises(ZeroDivisionError, match="0"),
    ):
        parallel(refuse, [0, 0], n_jobs=2)


def test_an_executor_of_the_user_stays_open() -> None:
    with lw.executor("threads:2") as executor:
        with joblib.parallel_config(backend="lightwork", where=executor):
            roots = parallel(math.sqrt, [1, 4])
        after = executor.submit(math.sqrt, 9).result()

    assert (roots, after) == ([1, 2], 3)


@pytest.mark.process
def test_the_next_parallel_has_the_children_of_the_last() -> None:
    with joblib.parallel_config(backend="lightwork", where="processes:2"):
        first = set(parallel(_pid, range(8), batch_size=1))
        second = set(parallel(_pid, range(8), batch_size=1))

    assert len(first | second) <= 2


def _pid(_: int) -> int:
    return os.getpid()


@pytest.mark.process
def test_a_dead_child_is_told_and_the_next_parallel_runs() -> None:
    with joblib.parallel_config(backend="lightwork", where="processes:2"):
        with pytest.raises(lw.WorkerLost):
            parallel(kill_itself, range(8), batch_size=1)
        roots = parallel(math.sqrt, [1, 4])

    assert roots == [1, 2]


@pytest.mark.process
def test_an_error_kills_what_runs_beside_it() -> None:
    begin = time.monotonic()

    with (
        joblib.parallel_config(backend="lightwork", where="processes:2"),
        pytest.raises(ZeroDivisionError),
    ):
        parallel(sleep_or_fail, [1, 0], batch_size=1)

    assert time.monotonic() - begin < 30


def test_items_are_taken_in_one_thread_that_is_no_pools() -> None:
    seen = set()

    def items() -> Iterator[int]:
        for number in range(50):
            seen.add(threading.current_thread().name)
            yield number

    with joblib.parallel_config(backend="lightwork", where="threads:2"):
        parallel(math.sqrt, items(), batch_size=1)

    assert seen == {threading.current_thread().name, "lightwork-joblib"}


@pytest.mark.process
def test_children_have_so_many_inner_threads_as_are_said() -> None:
    with joblib.parallel_config(backend="lightwork", where="processes:2", inner_max_num_threads=3):
        seen = parallel(blas_threads, range(2))

    assert seen == ["3", "3"]


@pytest.mark.process
def test_a_job_that_waits_for_its_calls_lends_its_place(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/work.db"

    with lw.executor(url, workers="threads:1", authkey=KEY) as executor:
        total = executor.submit(add_roots, url).result(timeout=60)

    assert total == 3


@lw.task
def add_roots(url: str) -> float:
    register()
    # Nobody else runs them but the one worker that runs this.
    with joblib.parallel_config(backend="lightwork", where=url, authkey=KEY):
        return math.fsum(parallel(math.sqrt, [1, 4], n_jobs=2))


@pytest.mark.parametrize(
    ("where", "n_jobs", "expected"),
    [
        ("processes:4", -1, 4),
        ("processes:4", 8, 4),
        ("processes:4", -2, 3),
        ("processes", 8, 8),
        ("processes:4", None, 1),
        ("sqlite:///work.db", 8, 8),
        ("inline", -1, 1),
    ],
)
def test_n_jobs_means_what_it_means_to_joblib(
    where: str, n_jobs: int | None, expected: int
) -> None:
    found = Place(where, {}).count_jobs(n_jobs)

    assert found == expected


def test_options_of_an_open_executor_are_refused() -> None:
    with lw.executor("inline") as executor, pytest.raises(lw.UsageError, match="authkey"):
        LightworkBackend(executor, authkey=KEY)


def test_a_call_that_cannot_be_submitted_ends_the_parallel() -> None:
    executor = lw.executor("threads:2")
    executor.shutdown()

    with (
        joblib.parallel_config(backend="lightwork", where=executor),
        pytest.raises(RuntimeError, match="after shutdown"),
    ):
        parallel(math.sqrt, [1, 4])
