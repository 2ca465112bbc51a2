"""Progress of jobs, as their submitter hears of it through the store."""

from pathlib import Path

import pytest

from face.jobs import report_steps, report_then_wait, square
from lightwork.durable.executor import DurableExecutor
from lightwork.model import Progress
from lightwork.tasks.task import call
from lightwork.work.service import Worker
from waiting import wait_until

pytestmark = pytest.mark.process

LAST = Progress(done=26, total=30, note="step 26")


def test_the_last_report_is_kept_with_the_outcome(shared: DurableExecutor) -> None:
    future = shared.submit(report_steps, 26)
    future.result(30)

    assert future.progress == LAST


def test_a_job_that_reports_nothing_has_no_progress(shared: DurableExecutor) -> None:
    future = shared.submit(square, 2)
    future.result(30)

    assert future.progress is None


def test_the_last_report_is_heard_before_the_result(shared: DurableExecutor) -> None:
    heard: list[Progress] = []
    at_the_end: list[Progress] = []

    future = shared.submit(call(report_steps, on_progress=heard.append), 26)
    future.add_done_callback(lambda _: at_the_end.extend(heard[-1:]))
    future.result(30)

    wait_until(lambda: at_the_end, "the callback was called")
    assert at_the_end == [LAST]


def test_a_map_tells_which_item_reports(shared: DurableExecutor) -> None:
    heard: list[Progress] = []

    results = list(shared.map(report_steps, [3, 4], on_progress=heard.append))

    assert results == [3, 4]
    assert {progress.item: progress.done for progress in heard} == {0: 3, 1: 4}


def test_progress_of_a_worker_elsewhere_is_heard_while_the_job_runs(
    url: str, tmp_path: Path
) -> None:
    heard: list[Progress] = []
    gate = tmp_path / "gate"
    worker = Worker(url, executor="threads:1", tasks=[report_then_wait])
    worker.start()
    try:
        with DurableExecutor(url) as executor:
            future = executor.submit(call(report_then_wait, on_progress=heard.append), str(gate))
            wait_until(lambda: heard, "the first report was heard")
            is_done = future.done()
            gate.touch()
            future.result(30)
    finally:
        worker.stop()
        worker.join()

    assert not is_done
    assert [progress.done for progress in heard] == [1, 2]


def test_the_children_of_an_own_worker_can_be_started(url: str) -> None:
    with DurableExecutor(url, workers=2) as executor:
        executor.start()
        executor.start()

        assert executor.submit(square, 3).result(30) == 9
    with pytest.raises(RuntimeError, match="shutdown"):
        executor.start()
