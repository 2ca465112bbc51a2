"""The pool of connections that stores use."""

import logging

from sqlalchemy import create_engine

from lightwork.store.sql.engines.pool import UNBOUNDED, StorePool


def test_what_sqlalchemy_says_of_a_pool_is_not_said_by_lightwork() -> None:
    """A worker shows whatever comes from the logger "lightwork"."""
    engine = create_engine("sqlite://", poolclass=StorePool, max_overflow=UNBOUNDED)

    assert isinstance(engine.pool.logger, logging.Logger)
    assert engine.pool.logger.name.startswith("sqlalchemy.")
