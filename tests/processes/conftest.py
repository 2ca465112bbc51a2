"""Processes and pools under the standard names."""

from collections.abc import Iterator

import pytest

from leftovers import nothing_left_by
from lightwork import multiprocessing as mp


@pytest.fixture(autouse=True)
def leftovers(request: pytest.FixtureRequest) -> Iterator[None]:
    # The broker of this machine outlives whoever starts it.
    mp.Event().is_set()
    with nothing_left_by(request):
        yield
