"""A fresh store for each test, on each database that there is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from leftovers import nothing_left_by
from lightwork.store.contract import Store
from lightwork.store.sqlstore import open_store


@pytest.fixture(autouse=True)
def leftovers(request: pytest.FixtureRequest) -> Iterator[None]:
    with nothing_left_by(request):
        yield


@pytest.fixture(params=["sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    # Another database joins here: a parameter and the URL of an empty schema.
    assert request.param == "sqlite"
    return f"sqlite:///{tmp_path}/work.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "work.db"
