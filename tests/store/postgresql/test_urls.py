"""From a URL to a database: its names, its driver, and what must not be seen."""

import logging

import pytest
from sqlalchemy import make_url

from lightwork.errors import StoreError, StoreUnavailable, UsageError
from lightwork.store import migrate
from lightwork.store.sqlstore import SqlStore
from store.servers import execute
from store.steps import submitted


def with_driver(url: str, name: str) -> str:
    return make_url(url).set(drivername=name).render_as_string(hide_password=False)


@pytest.mark.parametrize("name", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_usual_name_of_postgresql_means_psycopg(url: str, name: str) -> None:
    with SqlStore(with_driver(url, name)) as store:
        submitted(store)

        assert store.url.startswith("postgresql+psycopg://")


def test_another_driver_is_refused_with_the_right_name(url: str) -> None:
    with pytest.raises(UsageError, match=r"postgresql\+psycopg://USER@HOST"):
        SqlStore(with_driver(url, "postgresql+asyncpg"))


def test_a_missing_driver_is_an_error_that_names_the_extra(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)

    with pytest.raises(UsageError, match=r'pip install "lightwork\[postgres\]"'):
        SqlStore(url)


def test_a_password_is_shown_nowhere(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = make_url(url).set(password="hush-hush", query={"application_name": "hush-hush"})

    with SqlStore(secret.render_as_string(hide_password=False)) as store:
        submitted(store)
        store.wait_for_change(-1, 0.0)
        shown = [repr(store), store.safe_url, repr(store.database), caplog.text]
        execute(url, "DROP TABLE job")
        with pytest.raises(StoreError) as refused:
            submitted(store)

    shown += [str(refused.value), str(refused.value.__cause__)]
    assert not [text for text in shown if "hush" in text]


def test_what_jobs_are_called_with_stands_in_no_error(url: str) -> None:
    with SqlStore(url) as store:
        execute(url, "DROP TABLE job")

        with pytest.raises(StoreError) as refused:
            submitted(store, queue="hush-hush")

    assert "hush" not in str(refused.value.__cause__)


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        SqlStore("postgresql://nobody@127.0.0.1:1/nothing")


def test_a_database_that_is_not_there_is_an_error_that_says_what_to_do(url: str) -> None:
    missing = make_url(url).set(database="lightwork_test_missing")

    with pytest.raises(StoreError, match="createdb"):
        SqlStore(missing.render_as_string(hide_password=False))


def test_a_store_that_is_not_there_is_not_made_unasked(url: str) -> None:
    with pytest.raises(StoreError, match="lightwork db init"):
        SqlStore(url, create=False)


def test_an_older_store_is_upgraded_only_when_somebody_says_so(url: str) -> None:
    SqlStore(url).close()
    execute(url, "UPDATE lightwork_version SET version_num = '0001'")

    with pytest.raises(StoreError, match="lightwork db upgrade"):
        SqlStore(url)


def test_a_schema_of_its_own_is_named_by_the_search_path(url: str) -> None:
    execute(url, "CREATE SCHEMA apart")
    apart = make_url(url).update_query_dict({"options": "-csearch_path=apart"})
    text = apart.render_as_string(hide_password=False)

    with SqlStore(text) as store, SqlStore(url) as other:
        job_id = submitted(store)

        assert other.job(job_id) is None
    assert migrate.check(text) == migrate.check(url)


def test_options_of_tls_reach_the_driver(url: str) -> None:
    strict = make_url(url).update_query_dict(
        {"sslmode": "verify-full", "sslrootcert": "/nowhere/root.pem"}
    )

    with pytest.raises(StoreError, match=r"SSL was required|/nowhere/root\.pem"):
        SqlStore(strict.render_as_string(hide_password=False))


def test_an_option_that_the_driver_does_not_know_is_refused_by_its_name(url: str) -> None:
    odd = make_url(url).update_query_dict({"sslmood": "hush"})

    with pytest.raises(StoreError, match="sslmood") as refused:
        SqlStore(odd.render_as_string(hide_password=False))

    assert "hush" not in str(refused.value)


def test_what_is_full_for_a_while_is_no_wrong_password(url: str) -> None:
    guest = f"lightwork_guest_{make_url(url).database}"
    execute(url, f"CREATE ROLE {guest} LOGIN CONNECTION LIMIT 0")
    try:
        with pytest.raises(StoreUnavailable, match="no connection left"):
            SqlStore(make_url(url).set(username=guest).render_as_string(hide_password=False))
    finally:
        execute(url, f"DROP ROLE {guest}")


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_cannot_keep_every_text_is_refused(url: str, encoding: str) -> None:
    name = f"{make_url(url).database}_{encoding.lower()}"
    execute(url, f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    try:
        with pytest.raises(UsageError, match=f"as {encoding}.*ENCODING 'UTF8'"):
            SqlStore(make_url(url).set(database=name).render_as_string(hide_password=False))
    finally:
        execute(url, f"DROP DATABASE {name} WITH (FORCE)")
