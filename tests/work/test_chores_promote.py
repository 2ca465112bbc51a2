"""Jobs that are due all at once become ready in one turn, batch by batch."""

from pathlib import Path

from sqlalchemy import NullPool, create_engine, text

from lightwork.model import State
from lightwork.store.sqlstore import SqlStore
from lightwork.work.chores import Chores
from store.steps import new_job


def test_one_turn_promotes_more_than_a_batch(tmp_path: Path) -> None:
    with SqlStore(f"sqlite:///{tmp_path}/work.db") as store:
        store.submit([new_job(delay=60) for _ in range(1200)])
        engine = create_engine(store.url, poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(text("UPDATE job SET due_at = 1"))

        Chores(store, ttl=60.0).do_due()

        assert store.summary().states[State.READY] > 500
