"""What concerns SQLite alone is asked of SQLite alone."""

import pytest


@pytest.fixture
def url(sqlite_url: str) -> str:
    return sqlite_url
