"""Processes and pools under the standard names."""

from collections.abc import Iterator

import pytest

from leftovers import nothing_left_by


@pytest.fixture(autouse=True)
def leftovers(request: pytest.FixtureRequest) -> Iterator[None]:
    with nothing_left_by(request):
        yield
