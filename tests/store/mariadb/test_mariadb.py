"""What MariaDB does otherwise: names, known ids, locks, and tables made outside of transactions."""

import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, NullPool, Table, create_engine, make_url, text

from lightwork.errors import StoreError, StoreUnavailable, UsageError
from lightwork.model import Lane, State
from lightwork.store.mariadb.database import MARIADB
from lightwork.store.sql import schema
from lightwork.store.sqlstore import SqlStore
from lightwork.store.tables import metadata
from store.proxy import proxy
from store.servers import new_database
from store.steps import new_job, registered, state_of, submitted

_OTHERWISE = text(
    "SELECT table_name, column_name, collation_name FROM information_schema.columns "
    "WHERE table_schema = DATABASE() AND collation_name <> 'utf8mb4_bin'"
)


def with_driver(url: str, name: str) -> str:
    return make_url(url).set(drivername=name).render_as_string(hide_password=False)


@pytest.mark.parametrize("name", ["mysql", "mariadb", "mysql+pymysql", "mariadb+pymysql"])
def test_every_usual_name_means_pymysql(url: str, name: str) -> None:
    with SqlStore(with_driver(url, name)) as store:
        submitted(store)

        assert "+pymysql://" in store.url


def test_another_driver_is_refused_with_the_right_name(url: str) -> None:
    with pytest.raises(UsageError, match=r"mysql\+pymysql://USER@HOST"):
        SqlStore(with_driver(url, "mysql+aiomysql"))


def test_a_missing_driver_is_an_error_that_names_the_extra(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pymysql", None)

    with pytest.raises(UsageError, match=r'pip install "lightwork\[mysql\]"'):
        SqlStore(url)


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable, match="cannot be reached") as away:
        SqlStore("mysql://someone:hush@127.0.0.1:1/nothing")

    assert "hush" not in str(away.value)


def test_names_that_differ_in_case_are_different(store: SqlStore) -> None:
    store.submit([new_job(queue=name) for name in ("mail", "Mail", "mäil")])

    assert [len(store.lanes([name])) for name in ("mail", "Mail", "MAIL")] == [1, 1, 0]


def test_tables_are_right_as_they_are_made() -> None:
    with (
        new_database("mariadb") as url,
        MARIADB.make_engines(make_url(url)).writing.begin() as connection,
    ):
        schema.upgrade(connection)

        otherwise = connection.execute(_OTHERWISE).all()

    assert otherwise == []


def test_an_error_of_another_kind_is_not_taken_for_a_known_id(store: SqlStore) -> None:
    with pytest.raises(StoreError, match="too long"):
        store.submit([new_job(queue="q" * 101)])

    assert store.summary().states[State.READY] == 0


def test_the_same_jobs_submitted_by_many_at_once_are_kept_once(store: SqlStore) -> None:
    jobs = [new_job() for _ in range(50)]
    kept: list[list[bool]] = []
    threads = [
        threading.Thread(target=lambda order: kept.append(store.submit(order)), args=[order])
        for order in (jobs, jobs[::-1], [*jobs, new_job()])
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(map(sum, kept)) == 51
    assert store.summary().states[State.READY] == 51


def test_transactions_that_lock_in_opposite_order_both_end(store: SqlStore) -> None:
    jobs = [new_job(), new_job()]
    store.submit(jobs)
    meet = threading.Barrier(2, timeout=30)
    met: list[bool] = []

    def lock(first: int, second: int) -> Callable[[Connection], None]:
        def write(connection: Connection) -> None:
            for place in (first, second):
                wanted = {"id": jobs[place].id.bytes}
                connection.execute(text("SELECT seq FROM job WHERE id = :id FOR UPDATE"), wanted)
                if len(met) < 2:
                    met.append(True)
                    meet.wait()

        return write

    other = threading.Thread(target=store.database.write, args=[lock(1, 0)])
    other.start()
    store.database.write(lock(0, 1))
    other.join(30)

    assert not other.is_alive()


def test_whoever_is_in_a_hurry_waits_for_no_lock(store: SqlStore, url: str) -> None:
    job_id = submitted(store)
    with create_engine(url, poolclass=NullPool).begin() as holder:
        holder.execute(text("SELECT * FROM ready FOR UPDATE"))
        store.hurry()
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="no answer for 1 s"):
            store.cancel([job_id])

    assert time.monotonic() - began < 10
    assert state_of(store, job_id) == State.READY


def test_a_server_that_says_nothing_while_a_connection_is_made_is_given_up(url: str) -> None:
    with proxy(url) as between:
        between.is_silent = True
        # So that it ends in any case.
        too_late = threading.Timer(40, between.close)
        too_late.start()

        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            SqlStore(f"{between.url}?connect_timeout=1")

    too_late.cancel()
    assert time.monotonic() - began < 30


def test_an_answer_may_take_longer_than_a_connection(url: str) -> None:
    with SqlStore(f"{url}?connect_timeout=1") as store:
        slept = store.database.look(lambda one: one.exec_driver_sql("SELECT SLEEP(2)").scalar())

    assert slept == 0


def test_programs_that_make_tables_at_once_all_succeed() -> None:
    with new_database("mariadb") as url:
        opened: list[SqlStore] = []
        threads = [threading.Thread(target=lambda: opened.append(SqlStore(url))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert [store.check() for store in opened] == [[]] * 3
        for store in opened:
            store.close()


def test_a_program_killed_as_it_makes_the_tables_is_in_nobodys_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with new_database("mariadb") as url:
        with monkeypatch.context() as patched:
            # Half of them are there when it is gone.
            half = sorted(metadata.tables.values(), key=lambda table: table.name)[::2]
            patched.setattr(schema, "_statements", lambda _dialect: _make_and_die(half))
            with pytest.raises(StoreError, match="gone"):
                SqlStore(url)

        with SqlStore(url) as store:
            submitted(store)
            assert store.check() == []


def _make_and_die(tables: list[Table]) -> Iterator[str]:
    for table in tables:
        yield f"CREATE TABLE {table.name} (id INTEGER)"
    raise StoreError("gone")


def test_many_rows_with_anything_in_them_go_as_one_document(store: SqlStore) -> None:
    payloads = [b"", b"\0\xff\\'\"", b"x" * 400_000, b"y" * 400_000, b"z" * 400_000, b"plain"]
    jobs = [new_job(task="jobs:größe ☃ '\"\\", payload=payload) for payload in payloads]

    kept = store.submit(jobs)

    lane = Lane("default", "jobs:größe ☃ '\"\\")
    claimed = store.claim(registered(store), lanes=[lane], limit=10)
    assert kept == [True] * 6
    assert [(one.job_id, one.payload) for one in claimed] == [(job.id, job.payload) for job in jobs]


def test_a_file_of_tls_that_is_not_there_is_named(mariadb_url: str) -> None:
    strict = make_url(mariadb_url).update_query_dict({"ssl_ca": "/nowhere/root.pem"})

    with pytest.raises(UsageError, match=r"ssl_ca names the file /nowhere/root\.pem"):
        SqlStore(strict.render_as_string(hide_password=False))


def test_options_of_tls_reach_the_driver(mariadb_url: str) -> None:
    strict = make_url(mariadb_url).update_query_dict({"ssl_verify_cert": "true"})

    # This server has no TLS, or no certificate that anybody would trust.
    with pytest.raises(StoreError, match=r"(?i)ssl|certificate"):
        SqlStore(strict.render_as_string(hide_password=False))
