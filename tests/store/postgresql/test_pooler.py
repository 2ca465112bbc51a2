"""Behind PgBouncer, which gives a connection to another client after each transaction."""

import shutil
import subprocess
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import URL, make_url

from lightwork.lifecycle import Succeeded
from lightwork.model import State
from lightwork.store.sqlstore import SqlStore
from store.servers import command_of, execute, folder_for
from store.steps import LANES, new_job, registered
from waiting import wait_until

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(shutil.which("pgbouncer") is None, reason="no pgbouncer on this machine"),
]
SETTINGS = """
[databases]
{name} = host={host} port={port} user={user}
[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
listen_port = 6543
auth_type = any
pool_mode = transaction
default_pool_size = 3
logfile = {folder}/log
"""


@pytest.fixture
def pooled(url: str) -> Iterator[str]:
    """The URL of the database through a pooler with three connections for everybody."""
    target = make_url(url)
    host = target.query.get("host", target.host)
    port = target.port or 5432
    folder = folder_for("postgres")
    settings = folder / "pgbouncer.ini"
    given = {"name": target.database, "user": target.username, "host": host, "port": port}
    settings.write_text(SETTINGS.format(**given, folder=folder))
    settings.chmod(0o644)
    command = command_of("postgres", ["pgbouncer", "-q", settings])
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as pooler:
        wait_until((folder / ".s.PGSQL.6543").exists, "the pooler to listen")
        yield URL.create(
            "postgresql+psycopg",
            target.username,
            database=target.database,
            query={"host": str(folder), "port": "6543"},
        ).render_as_string(hide_password=False)
        pooler.terminate()


def test_jobs_of_many_clients_end_once_each(pooled: str) -> None:
    jobs = [new_job() for _ in range(300)]
    with SqlStore(pooled) as first, SqlStore(pooled) as second:

        def work(store: SqlStore) -> None:
            worker = registered(store)
            while claimed := store.claim(worker, lanes=LANES, limit=7):
                assert store.ack(worker, [(one, Succeeded(b"")) for one in claimed]) == []

        for job in jobs[:100]:
            first.submit([job])
        second.submit(jobs[100:])
        threads = [threading.Thread(target=work, args=[s]) for s in (first, second) * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert first.summary().states[State.SUCCEEDED] == 300
        assert first.check() == []


def test_changes_are_noticed_though_no_notification_comes_through(pooled: str) -> None:
    with SqlStore(pooled) as first, SqlStore(pooled) as second:
        seen = first.changes()
        second.submit([new_job()])
        wait_until(lambda: first.wait_for_change(seen, 5.0) != seen, "the change")


def test_a_schema_of_its_own_is_named_by_the_database_or_the_role(pooled: str, url: str) -> None:
    execute(url, "CREATE SCHEMA apart")
    execute(url, f"ALTER DATABASE {make_url(url).database} SET search_path = apart")

    with SqlStore(pooled) as store:
        store.submit([new_job()])
        place = store.database.read(
            lambda connection: connection.exec_driver_sql(
                "SELECT table_schema FROM information_schema.tables WHERE table_name = 'outcome'"
            ).scalar()
        )

    assert place == "apart"


def test_nothing_is_prepared_behind_it(pooled: str) -> None:
    with SqlStore(pooled) as store:
        for _ in range(3):
            store.submit([new_job()])
        found = store.database.look(
            lambda connection: connection.exec_driver_sql(
                "SELECT count(*) FROM pg_prepared_statements"
            ).scalar()
        )

    assert found == 0
