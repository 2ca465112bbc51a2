"""Fixtures: the URL of an empty database of each kind, and of all of them in turn."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from store import servers


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "work.db"


@pytest.fixture
def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_url() -> Iterator[str]:
    with servers.used_database("postgresql") as url:
        yield url


@pytest.fixture
def mariadb_url() -> Iterator[str]:
    with servers.used_database("mariadb") as url:
        yield url


# Another database joins here: with its name, and a fixture for the URL of an empty schema.
@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))
