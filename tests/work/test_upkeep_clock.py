"""A jump of the wall clock is told once; leases and delays do not feel it."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, text

from lightwork.store.sqlstore import SqlStore
from lightwork.work.upkeep import Upkeep


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with SqlStore(f"sqlite:///{tmp_path}/work.db") as store:
        yield store


def set_wall_clock(store: SqlStore, seconds: int) -> None:
    """Let it differ from the file's, as if somebody had set it."""
    engine = create_engine(store.url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE clock SET ahead = ahead - {seconds * 1000}"))


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_jump_of_the_wall_clock_is_told_once(
    store: SqlStore, caplog: pytest.LogCaptureFixture, seconds: int
) -> None:
    upkeep = Upkeep(store, ttl=0.0)
    upkeep.do_due()
    caplog.clear()

    set_wall_clock(store, seconds)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            upkeep.do_due()

    assert [record.message[:27] for record in caplog.records] == [
        f"clock_jumped seconds={seconds:+d}."[:27]
    ]
