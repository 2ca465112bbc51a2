"""What concerns MariaDB alone is asked of MariaDB alone."""

import pytest


@pytest.fixture
def url(mariadb_url: str) -> str:
    return mariadb_url
