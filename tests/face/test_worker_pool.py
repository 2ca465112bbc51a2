"""What a worker's pool may be told: coroutines in numbers, what children write, memory errors."""

from pathlib import Path

import pytest

from face.meeting_jobs import grow, meet, plain, say
from lightwork.durable.executor import DurableExecutor
from lightwork.durable.future import DurableFuture
from lightwork.errors import NoWorkerWarning, UsageError
from lightwork.model import State
from lightwork.pool.link.output_reader import OutputLine
from lightwork.work.service import Worker
from waiting import wait_until

pytestmark = pytest.mark.process

WAIT = 120


def test_a_thousand_coroutines_that_wait_for_one_another_run_in_one_worker(url: str) -> None:
    with DurableExecutor(url, workers=1, async_calls=1000) as executor:
        futures = executor.submit_many(meet, [(1000,)] * 1000)

        results: list[object] = [future.result(WAIT) for future in futures]
        assert results == [1000] * 1000


@pytest.mark.parametrize("place", ["processes:1", "threads:1"])
def test_a_worker_of_coroutines_leaves_plain_tasks_to_others(url: str, place: str) -> None:
    with DurableExecutor(url) as executor:
        future = executor.submit(plain)
        assert isinstance(future, DurableFuture)

        worker = Worker(url, executor=place, tasks=[plain, meet], async_calls=5, burst=True)
        worker.run()

        assert worker.catalog.names == [meet.name]
        assert executor.store.states([future.job_id]) == {future.job_id: State.READY}


def test_a_program_waits_in_vain_for_a_plain_task_of_its_worker_of_coroutines(url: str) -> None:
    with DurableExecutor(url, workers=1, async_calls=5) as executor:
        future = executor.submit(plain)

        with (
            pytest.warns(NoWorkerWarning, match="no live worker knows this task"),
            pytest.raises(TimeoutError),
        ):
            future.result(5)

        future.cancel()


def test_what_jobs_write_is_heard_with_the_name_of_their_task(url: str) -> None:
    heard: list[OutputLine] = []
    with DurableExecutor(url, workers=1, output=heard.append) as executor:
        executor.submit(say, "hello").result(WAIT)
        wait_until(lambda: heard, "the line has come")

    assert [(line.text, line.function) for line in heard] == [("hello", say.name)]


def test_a_task_hears_of_its_memory_limit_by_an_error(url: str) -> None:
    with DurableExecutor(url, workers=1, memory_errors=True) as executor:
        assert executor.submit(grow).result(WAIT) == -1


@pytest.mark.parametrize(
    ("workers", "option"),
    [
        ("threads:1", {"memory_errors": True}),
        ("threads:1", {"output": "show"}),
        ("inline", {"async_calls": 5}),
        ("processes:1", {"async_calls": -1}),
        ("processes:1", {"max_memory": "much"}),
    ],
)
def test_options_that_the_pool_has_not_are_refused_before_anything_is_made(
    tmp_path: Path, workers: str, option: dict[str, object]
) -> None:
    path = tmp_path / "new.db"

    with pytest.raises(UsageError):
        Worker(f"sqlite:///{path}", executor=workers, **option)  # type: ignore[arg-type]

    assert not path.exists()


def test_an_option_of_the_pool_that_is_misspelt_is_recognised(url: str) -> None:
    with pytest.raises(TypeError, match="did you mean 'memory_errors'"):
        DurableExecutor(url, workers=1, memory_error=True)
