"""What is larger than a database keeps as one value is refused, before the database ends the connection."""

import pytest

from lightwork.errors import PayloadError
from lightwork.store.contract import Store
from lightwork.store.sqlstore import SqlStore
from store.primitive_steps import Session, made, value

ITEM = bytes(600)


@pytest.fixture
def small(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    assert isinstance(store, SqlStore)
    monkeypatch.setattr(store.database, "largest_value", 1000, raising=False)
    return store


def test_more_than_a_value_is_not_put_at_once(small: Store) -> None:
    queue, session = made(small, "queue", 0), Session(small)

    with pytest.raises(PayloadError, match="fewer items at a time"):
        session.ask(queue, "put", (ITEM, ITEM))

    assert value(session.ask(queue, "size")) == 0


def test_more_than_a_value_is_not_got_at_once_and_stays(small: Store) -> None:
    queue, session = made(small, "queue", 0), Session(small)
    for _ in range(2):
        session.ask(queue, "put", (ITEM,))

    with pytest.raises(PayloadError, match="fewer items at a time"):
        session.ask(queue, "get", 2, True)

    assert value(session.ask(queue, "get", 1, True)) == [[0, ITEM]]
    assert value(session.ask(queue, "get", 2, True)) == [[1, ITEM]]


def test_an_array_of_more_than_a_value_is_not_made(small: Store) -> None:
    with pytest.raises(PayloadError):
        made(small, "value", ITEM + ITEM)

    assert small.primitives() == []
