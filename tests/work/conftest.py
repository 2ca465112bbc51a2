"""No test of workers leaves anything behind."""

from collections.abc import Iterator

import pytest

from leftovers import no_leftovers


@pytest.fixture(autouse=True)
def leftovers() -> Iterator[None]:
    with no_leftovers():
        yield
