"""Engine: how connections to PostgreSQL are made, and when either side gives up on the other.

Whoever keeps the database may have set another isolation for all of it. Our transactions name theirs; a statement
that is its own transaction has nowhere to say it, and would lose to others again and again, so the session says it.

Here libpq asks whether the server's machine is there. The server is to ask the same about ours:
a machine that vanishes in the middle of a transaction, or a program that is frozen there, would hold the rows
that it has locked until the server's system notices, which takes two hours as shipped. For that there are
settings of the session; they go with the start of the connection, and cost no message.

    of the URL (or PGOPTIONS)   comes after ours, and so wins
    a pooler that refuses them  gets a connection without: its own settings say the same to its server
    a service file              may hold options, which ours would hide: nothing is said
"""

import os
from typing import Any, Final

from sqlalchemy import URL, Engine, create_engine, event

from lightwork.errors import UsageError
from lightwork.store.postgresql.packed import register
from lightwork.store.server.connecting import bound_connecting
from lightwork.store.server.server import Engines
from lightwork.store.sql.engines.pool import UNBOUNDED, StorePool
from lightwork.store.urls import safe_url

# What libpq is told unless the URL says otherwise: without these a silent network is waited
# for for hours. Seconds, and milliseconds for the last.
_DEFAULTS: Final = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
# The same of the server. Nothing comes of it on a Unix socket.
_LINE: Final = {
    "tcp_keepalives_idle": "10s",
    "tcp_keepalives_interval": "5s",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "30s",
}
# A space would end the option.
_ISOLATION: Final = {"default_transaction_isolation": "read\\ committed"}
# Between two statements of a transaction of ours there is nothing that takes long.
_PATIENCE: Final = {"idle_in_transaction_session_timeout": "30s"}
# What poolers say who take no options: PgBouncer and those like it, RDS Proxy.
_REFUSALS: Final = ("startup parameter", "command-line options")


def make_engines(url: URL) -> Engines:
    """Make the pool of a store."""
    # Who bounds the number of connections: server/transactions.py.
    engine = _make_engine(url, _ISOLATION | _LINE | _PATIENCE, pool_size=5)
    # psycopg says these in the BEGIN.
    reading = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    asking = engine.execution_options(isolation_level="AUTOCOMMIT")
    return Engines(writing=engine, reading=reading, asking=asking, alone=asking, is_kept=True)


def make_job_engine(url: URL) -> Engine:
    """Make the connections of jobs, whose transactions may rest for as long as a job does."""
    # A dead connection would be the failure of a job, which has run in vain.
    return _make_engine(url, _LINE, pool_size=1, pool_pre_ping=True)


def _make_engine(url: URL, settings: dict[str, str], **options: Any) -> Engine:
    defaults = {name: value for name, value in _DEFAULTS.items() if name not in url.query}
    if "application_name" not in url.query:
        defaults["application_name"] = "lightwork"  # type: ignore[assignment]
    engine = create_engine(
        url,
        isolation_level="READ COMMITTED",
        poolclass=StorePool,
        max_overflow=UNBOUNDED,
        pool_recycle=1800,
        # Values of statements would stand in errors, and with them what jobs are called with.
        hide_parameters=True,
        # A prepared statement belongs to a session, and a pooler changes that under us.
        connect_args=defaults | {"prepare_threshold": None},
        **options,
    )
    event.listen(engine, "connect", lambda driver, _record: register(driver))
    bound_connecting(engine)
    event.listen(engine, "do_connect", _Start(url, settings))
    return engine


class _Start:
    """Connects: with settings for the session, as long as nobody refuses them, and to what can keep every text."""

    def __init__(self, url: URL, settings: dict[str, str]) -> None:
        self._where = safe_url(url.render_as_string(hide_password=False))
        self._said = " ".join(f"-c {name}={value}" for name, value in settings.items())
        # A service file may have options of its own.
        self._says_nothing = "service" in url.query or "PGSERVICE" in os.environ

    def __call__(self, dialect: Any, _record: object, args: Any, parameters: dict[str, Any]) -> Any:
        """Return a connection.

        Raises:
            UsageError: The database has another encoding than UTF8, of which SQLAlchemy cannot even ask all it wants.
        """
        driver = self._connected(dialect, args, parameters)
        encoding = driver.info.parameter_status("server_encoding")
        if encoding in {None, "UTF8"}:
            return driver
        driver.close()
        raise UsageError(
            f"store {self._where}: this database keeps texts as {encoding}, in which most of them cannot be "
            "written; lightwork needs UTF8: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
        )

    def _connected(self, dialect: Any, args: Any, parameters: dict[str, Any]) -> Any:
        if self._says_nothing:
            return dialect.connect(*args, **parameters)
        given = parameters.get("options") or os.environ.get("PGOPTIONS", "")
        try:
            return dialect.connect(*args, **parameters | {"options": f"{self._said} {given}"})
        except dialect.loaded_dbapi.OperationalError as error:
            if not any(words in str(error) for words in _REFUSALS):
                raise
            self._says_nothing = True
        return dialect.connect(*args, **parameters)
