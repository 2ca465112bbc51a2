"""At which reach each test is run: what a primitive does is the same wherever it lives."""

import uuid

import pytest

WHERE = ("threads", "processes")


@pytest.fixture(params=WHERE)
def where(request: pytest.FixtureRequest) -> str:
    """Return a place where nobody else has anything."""
    return str(request.param)


@pytest.fixture
def name() -> str:
    """Return a name that nobody else has."""
    return f"test {uuid.uuid4().hex}"
