"""The statements are one design for several databases: they compile where they will run."""

import pytest
from sqlalchemy import Dialect, make_url, select
from sqlalchemy.schema import CreateIndex
from sqlalchemy.sql.elements import ClauseElement

from lightwork.store import statements as sql
from lightwork.store.clock_sql import db_now
from lightwork.store.tables import job


def dialect(name: str) -> Dialect:
    return make_url(f"{name}://").get_dialect()()


CONSTANTS = {
    name: value
    for name, value in vars(sql).items()
    if name.isupper() and isinstance(value, ClauseElement)
} | {f"END {kind.__name__}": value for kind, value in sql.END.items()}
CONSTANTS["best of 4 lanes"] = sql.best_of(4)


@pytest.mark.parametrize("name", CONSTANTS)
def test_statement_compiles_for_postgresql(name: str) -> None:
    compiled = CONSTANTS[name].compile(dialect=dialect("postgresql"))

    assert str(compiled)


@pytest.mark.parametrize("name", ["CLAIM", "CLAIM_CHOSEN", "PROMOTE", "ABANDONED", "PRUNABLE"])
def test_what_a_batch_takes_is_locked_on_postgresql(name: str) -> None:
    compiled = CONSTANTS[name].compile(dialect=dialect("postgresql"))

    assert "SKIP LOCKED" in str(compiled)


def test_known_ids_are_skipped_on_postgresql() -> None:
    compiled = sql.insert_new("postgresql").compile(dialect=dialect("postgresql"))

    assert "ON CONFLICT (id) DO NOTHING" in str(compiled)


@pytest.mark.parametrize(
    ("name", "sign"),
    [("sqlite", "lightwork_uptime"), ("postgresql", "clock_timestamp"), ("mysql", "UTC_TIMESTAMP")],
)
def test_database_clock_is_spelled_for_each_dialect(name: str, sign: str) -> None:
    assert sign in str(select(db_now()).compile(dialect=dialect(name)))


def test_state_is_a_literal_in_the_claim_so_that_its_index_is_used() -> None:
    compiled = str(sql.CLAIM.compile(dialect=dialect("postgresql")))

    assert "state = 'ready'" in compiled


def test_state_leads_the_indexes_where_none_is_partial() -> None:
    full = [index for index in job.indexes if str(index.name).endswith("_full")]

    assert len(full) == 5
    assert all("(state, " in str(CreateIndex(index)) for index in full)
