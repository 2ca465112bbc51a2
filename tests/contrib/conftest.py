"""What joblib's tests leave open for the next `Parallel` ends with them."""

from collections.abc import Iterator

import pytest

from lightwork.contrib.joblib.kept import KEPT


@pytest.fixture(autouse=True, scope="module")
def ends_what_is_kept() -> Iterator[None]:
    yield
    KEPT.shutdown()
