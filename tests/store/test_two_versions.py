"""Two programs of different age on one store: who has it open goes on, or says what is wrong."""

import pytest

from lightwork.errors import SchemaMismatch
from lightwork.lifecycle import Succeeded
from lightwork.model import State
from lightwork.store import migrate
from lightwork.store.sqlstore import SqlStore
from store.steps import claim_one, execute, new_job, registered, state_of, submitted


def upgrade_to_a_newer_program(store: SqlStore) -> None:
    """The expand step of a program to come: what it adds, older ones need not know."""
    execute(store, "ALTER TABLE job ADD COLUMN newer INTEGER DEFAULT 7")
    execute(store, "CREATE TABLE newer (n INTEGER)")
    execute(store, "UPDATE lightwork_version SET version_num = '9999'")


@pytest.fixture
def url(request: pytest.FixtureRequest, url: str) -> str:
    """A database of its own: its tables are changed."""
    if url.startswith("mariadb"):
        return str(request.getfixturevalue("mariadb_own_url"))
    return url


def test_who_has_the_store_open_while_it_is_upgraded_goes_on(store: SqlStore) -> None:
    before = submitted(store)
    worker = registered(store)
    attempt = claim_one(store, worker)

    upgrade_to_a_newer_program(store)

    assert store.renew(worker, lease=60)
    assert store.ack(worker, [(attempt, Succeeded(b""))]) == []
    store.submit([new_job(), new_job()])
    assert store.ack(worker, [(claim_one(store, worker), Succeeded(b""))]) == []
    store.rescue()
    store.promote()
    assert state_of(store, before) == State.SUCCEEDED
    assert store.summary().states[State.READY] == 1
    store.sign_off(worker)


def test_who_comes_after_the_upgrade_is_told_to_upgrade(store: SqlStore) -> None:
    submitted(store)

    upgrade_to_a_newer_program(store)

    with pytest.raises(SchemaMismatch, match="upgrade lightwork"):
        migrate.check(store.url)
    # Of this process's own file it is known already.
    if not store.url.startswith("sqlite"):
        with pytest.raises(SchemaMismatch, match="upgrade lightwork"):
            SqlStore(store.url)


def test_who_has_the_store_open_when_its_tables_go_says_so(store: SqlStore) -> None:
    submitted(store)
    worker = registered(store)

    execute(store, "ALTER TABLE ready RENAME TO ready_before")

    with pytest.raises(SchemaMismatch, match="not those of this program"):
        claim_one(store, worker)
    with pytest.raises(SchemaMismatch, match="not those of this program"):
        submitted(store)
    # What is elsewhere is as it was.
    assert store.renew(worker, lease=60)
