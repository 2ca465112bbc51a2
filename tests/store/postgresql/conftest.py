"""What concerns PostgreSQL alone is asked of PostgreSQL alone, of databases that tests may change."""

from collections.abc import Iterator

import pytest

from store import servers


@pytest.fixture
def url() -> Iterator[str]:
    with servers.new_database("postgresql") as made:
        yield made
