"""Executors on real SQLite files, with real children."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from leftovers import nothing_left_by, outliving
from lightwork.durable.executor import DurableExecutor


@pytest.fixture(autouse=True)
def leftovers(request: pytest.FixtureRequest) -> Iterator[None]:
    with nothing_left_by(request):
        yield


@pytest.fixture(scope="package")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DurableExecutor]:
    """Two children, for tests that leave nothing running."""
    path = tmp_path_factory.mktemp("face") / "shared.db"
    with outliving(), DurableExecutor(f"sqlite:///{path}", workers=2) as executor:
        yield executor


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/work.db"


@pytest.fixture
def kept(url: str) -> Iterator[DurableExecutor]:
    """No worker: jobs are only kept."""
    with DurableExecutor(url) as executor:
        yield executor
