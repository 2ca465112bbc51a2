"""A program that is frozen, or whose machine vanishes, in the middle of a transaction holds nothing for long."""

import threading
from typing import Any

import pytest
from sqlalchemy import Connection, make_url, text

from lightwork.model import State
from lightwork.store.mariadb import database as mariadb
from lightwork.store.opening import kind_of
from lightwork.store.sqlstore import SqlStore
from store import servers
from store.steps import state_of, submitted

SHOWS = {
    "postgresql": "SHOW idle_in_transaction_session_timeout",
    "mariadb": "SELECT @@idle_transaction_timeout",
}
SHORT = "-c idle_in_transaction_session_timeout=1s"

pytestmark = pytest.mark.process


def hurried(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a URL of which the server waits for a second only."""
    monkeypatch.setattr(mariadb, "_PATIENCE", "SET SESSION idle_transaction_timeout = 1")
    parts = make_url(url)
    if parts.get_backend_name() == "postgresql":
        parts = parts.update_query_dict({"options": SHORT})
    return parts.render_as_string(hide_password=False)


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_what_it_has_locked_is_free_soon_and_nothing_is_done_twice(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_frozen, goes_on, runs = threading.Event(), threading.Event(), []

    def freeze(connection: Connection) -> None:
        connection.execute(text("SELECT * FROM ready FOR UPDATE")).close()
        runs.append(1)
        is_frozen.set()
        assert goes_on.wait(60)

    with (
        servers.new_database(kind) as url,
        SqlStore(hurried(url, monkeypatch)) as frozen,
        SqlStore(url) as other,
    ):
        job_id = submitted(other)
        thread = threading.Thread(target=frozen.database.write, args=[freeze])
        thread.start()
        assert is_frozen.wait(60)

        other.cancel([job_id])

        assert state_of(other, job_id) is State.CANCELLED
        goes_on.set()
        thread.join(60)
        # It was undone by the server, and found out at its next word.
        assert len(runs) == 2
        assert state_of(other, job_id) is State.CANCELLED


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_transactions_of_ours_may_rest_for_half_a_minute_and_those_of_jobs_for_ever(
    kind: str,
) -> None:
    def patience(connection: Connection) -> Any:
        return connection.exec_driver_sql(SHOWS[kind]).scalar()

    with servers.new_database(kind) as url, SqlStore(url) as store:
        ours = store.database.write(patience), store.database.read(patience)
        engine = kind_of(url).open_job_engine(url).engine
        with engine.connect() as connection:
            theirs = patience(connection)
        engine.dispose()

    assert [str(one).rstrip("s") for one in (*ours, theirs)] == ["30", "30", "0"]


def test_options_of_a_url_are_kept_and_win(monkeypatch: pytest.MonkeyPatch) -> None:
    def settings(connection: Connection) -> list[Any]:
        names = "search_path", "tcp_user_timeout", "idle_in_transaction_session_timeout"
        return [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in names]

    with servers.new_database("postgresql") as url:
        servers.execute(url, "CREATE SCHEMA apart")
        said = make_url(url).update_query_dict({"options": f"-csearch_path=apart {SHORT}"})
        with SqlStore(said.render_as_string(hide_password=False)) as store:
            # (Of a Unix socket it says 0.)
            assert store.database.read(settings) in (
                ["apart", "30000", "1s"],
                ["apart", "0", "1s"],
            )
        monkeypatch.setenv("PGOPTIONS", "-csearch_path=apart")
        with SqlStore(url) as store:
            assert store.database.read(settings)[::2] == ["apart", "30s"]
