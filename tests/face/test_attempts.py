"""Who counts the attempts of a job: the store alone, not the pool of its worker too."""

from pathlib import Path

import pytest

from face.jobs import note_then_fail
from lightwork.durable.executor import DurableExecutor
from lightwork.errors import JobFailed

pytestmark = pytest.mark.process


@pytest.mark.parametrize("where", ["processes:1", "threads:1"])
def test_a_job_runs_once_in_each_attempt(url: str, where: str, tmp_path: Path) -> None:
    ran = tmp_path / "ran"

    with DurableExecutor(url, workers=where) as executor, pytest.raises(JobFailed):
        executor.submit(note_then_fail, str(ran)).result(20)

    assert ran.read_text().split() == ["1", "2", "3"]
