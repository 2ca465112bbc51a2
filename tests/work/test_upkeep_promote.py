"""Jobs that are due, or unblocked, all at once become ready in one turn, batch by batch."""

import dataclasses
from pathlib import Path

from sqlalchemy import NullPool, create_engine, text

from lightwork.lifecycle import Succeeded
from lightwork.model import State
from lightwork.store.sqlstore import SqlStore
from lightwork.work.upkeep import Upkeep
from store.steps import claim_one, new_job, registered


def test_one_turn_promotes_more_than_a_batch(tmp_path: Path) -> None:
    with SqlStore(f"sqlite:///{tmp_path}/work.db") as store:
        store.submit([new_job(delay=60) for _ in range(1200)])
        engine = create_engine(store.url, poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(text("UPDATE scheduled SET due_at = 1"))

        Upkeep(store, ttl=60.0).do_due()

        assert store.summary().states[State.READY] > 500


def test_upkeep_unblocks_what_the_end_of_its_parent_had_no_room_for(tmp_path: Path) -> None:
    with SqlStore(f"sqlite:///{tmp_path}/work.db") as store:
        parent = new_job()
        children = [dataclasses.replace(new_job(), after=(parent.id,)) for _ in range(1200)]
        store.submit([parent, *children])
        worker = registered(store)
        store.ack(worker, [(claim_one(store, worker), Succeeded(b""))])
        before = store.summary().states[State.READY]

        Upkeep(store, ttl=60.0).do_due()

        assert before < store.summary().states[State.READY]
