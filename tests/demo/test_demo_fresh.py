"""--fresh makes room and harms nobody."""

import uuid
from pathlib import Path

import pytest

from lightwork.demo import fresh
from lightwork.demo.tasks import measure
from lightwork.durable.executor import DurableExecutor
from lightwork.errors import StoreError, UsageError
from lightwork.model import NewJob, WorkerInfo
from lightwork.store.sqlstore import open_store

FILE = Path("/somewhere/spam.py")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/mine.db"


def test_a_file_with_nothing_but_demo_jobs_is_removed_with_all_beside_it(
    url: str, tmp_path: Path
) -> None:
    with DurableExecutor(url) as executor:
        executor.submit_many(measure, [(str(FILE),)])

    fresh.remove_file(url)

    assert list(tmp_path.iterdir()) == []


def test_a_file_with_other_jobs_is_left_alone(url: str, tmp_path: Path) -> None:
    store = open_store(url)
    store.submit([NewJob(id=uuid.uuid4(), task="other:task", payload=b"")])
    store.close()

    with pytest.raises(UsageError, match="holds 1 jobs that are not the demo's"):
        fresh.remove_file(url)

    assert (tmp_path / "mine.db").exists()


def test_a_file_with_workers_on_it_is_left_alone(url: str, tmp_path: Path) -> None:
    store = open_store(url)
    info = WorkerInfo(id=uuid.uuid4(), name="demo-1", host="here", pid=4711, slots=1)
    store.register(info, lease=60)

    with pytest.raises(UsageError, match=r"demo-1 \(pid 4711\)"):
        fresh.remove_file(url)

    store.close()
    assert (tmp_path / "mine.db").exists()


def test_a_file_that_is_no_store_is_left_alone(url: str, tmp_path: Path) -> None:
    (tmp_path / "mine.db").write_text("a diary")

    with pytest.raises(StoreError, match="not a SQLite database"):
        fresh.remove_file(url)

    assert (tmp_path / "mine.db").read_text() == "a diary"


def test_the_demos_own_file_is_removed_even_if_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lightwork-demo.db").write_text("damaged")

    fresh.remove_file(fresh.DEFAULT_URL)

    assert list(tmp_path.iterdir()) == []


def test_where_there_is_no_file_nothing_is_removed(url: str, tmp_path: Path) -> None:
    fresh.remove_file(url)

    assert list(tmp_path.iterdir()) == []
