"""What a spelling may say in its own way means what the common one means."""

from lightwork.store.sql.spelling import Spelling
from lightwork.store.sqlstore import SqlStore
from store.steps import new_job


def test_lanes_are_those_of_the_common_spelling(store: SqlStore) -> None:
    store.submit([new_job(task=f"jobs:{name}") for name in ("walk", "run", "walk")])

    own = store._read(lambda connection: list(store._spelling.lanes(connection, "default")))
    common = store._read(lambda connection: list(Spelling().lanes(connection, "default")))

    assert own == common == ["jobs:run", "jobs:walk"]


def test_common_spelling_has_nothing_to_repair(store: SqlStore) -> None:
    assert store._read(Spelling().damage) == store._write(Spelling().repair) == []
