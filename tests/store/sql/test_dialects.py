"""The statements are one design for several databases: they compile where they will run."""

from collections.abc import Iterator, Mapping

import pytest
from sqlalchemy import Dialect, Table, make_url, select
from sqlalchemy.sql.elements import ClauseElement

from lightwork.lifecycle import Succeeded
from lightwork.store.sql import ends, jobs, lanes, moves, upkeep, workers
from lightwork.store.sqlite.spelling import SPELLING
from lightwork.store.tables.clock_sql import db_now


def dialect(name: str) -> Dialect:
    return make_url(f"{name}://").get_dialect()()


def named(name: str, value: object) -> Iterator[tuple[str, ClauseElement]]:
    if isinstance(value, ClauseElement) and not isinstance(value, Table):
        yield name, value
    elif isinstance(value, moves.Move):
        yield f"{name} insert", value.insert
        yield f"{name} delete", value.delete
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from named(f"{name} {getattr(key, '__name__', key)}", part)


CONSTANTS = {
    name: statement
    for module in (jobs, lanes, ends, upkeep, workers)
    for constant, value in vars(module).items()
    if constant.isupper()
    for name, statement in named(constant, value)
}
CONSTANTS["best of 4 lanes"] = lanes.best_of(4)


@pytest.mark.parametrize("name", CONSTANTS)
def test_statement_compiles_for_postgresql(name: str) -> None:
    compiled = CONSTANTS[name].compile(dialect=dialect("postgresql"))

    assert str(compiled)


@pytest.mark.parametrize(
    "name", ["NEXT_OF_LANE", "NEXT_CHOSEN", "DUE", "ABANDONED", "PRUNABLE failed"]
)
def test_what_a_batch_takes_is_locked_on_postgresql(name: str) -> None:
    compiled = CONSTANTS[name].compile(dialect=dialect("postgresql"))

    assert "SKIP LOCKED" in str(compiled)


def test_known_ids_are_skipped() -> None:
    compiled = SPELLING.insert_new.compile(dialect=dialect("sqlite"))

    assert "ON CONFLICT (id) DO NOTHING" in str(compiled)


@pytest.mark.parametrize(
    ("name", "sign"),
    [
        ("sqlite", "lightwork_nanoseconds"),
        ("postgresql", "clock_timestamp"),
        ("mysql", "UTC_TIMESTAMP"),
    ],
)
def test_database_clock_is_spelled_for_each_dialect(name: str, sign: str) -> None:
    assert sign in str(select(db_now()).compile(dialect=dialect(name)))


def test_worker_of_an_end_is_compared_so_that_no_plan_walks_all_that_it_runs() -> None:
    compiled = str(ends.END[Succeeded].delete.compile(dialect=dialect("postgresql")))

    assert "worker IS NOT DISTINCT FROM" in compiled
