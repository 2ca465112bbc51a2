"""Transactions of the user's own on a SQLite file, beside those of the store."""

import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.orm import Session

from lightwork.durable.executor import DurableExecutor
from lightwork.errors import UsageError
from lightwork.model import State
from lightwork.store.sqlite.sessions import begun
from lightwork.store.sqlite.watch import Watch
from transaction.notes import Row, double, texts
from waiting import wait_until

# Much longer than to see it takes, and much shorter than SQLite waits.
AT_ONCE = 15.0


@pytest.fixture
def url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def plain(url: str) -> Iterator[Engine]:
    """An engine as most users make it: sqlite3 begins a transaction at the first change."""
    made = create_engine(url)
    Row.metadata.create_all(made)
    yield made
    made.dispose()


def test_a_plain_submit_beside_an_open_write_of_the_same_thread_is_refused_at_once(
    executor: DurableExecutor, plain: Engine
) -> None:
    started = time.monotonic()
    with Session(plain) as session:
        session.add(Row(id=1, text="order"))
        session.flush()

        with pytest.raises(UsageError, match=r"executor.using\(session\)"):
            executor.submit(double, 2)

        session.commit()
    assert time.monotonic() - started < AT_ONCE
    executor.submit(double, 2)
    assert len(executor.store.jobs()) == 1


def test_it_is_refused_where_the_write_has_only_begun(executor: DurableExecutor, url: str) -> None:
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        with pytest.raises(UsageError, match="wait for itself"):
            executor.submit(double, 2)
    engine.dispose()


def test_it_is_refused_beside_a_job_of_this_transaction(
    executor: DurableExecutor, plain: Engine
) -> None:
    with Session(plain) as session:
        executor.using(session).submit(double, 2)
        with pytest.raises(UsageError, match="wait for itself"):
            executor.submit(double, 3)


def test_a_read_of_the_same_thread_is_in_nobodys_way(
    executor: DurableExecutor, engine: Engine
) -> None:
    with Session(engine) as session:
        session.execute(text("SELECT count(*) FROM note_of_user"))

        executor.submit(double, 2)

    assert len(executor.store.jobs()) == 1


def test_a_write_to_another_file_is_in_nobodys_way(
    executor: DurableExecutor, tmp_path: Path
) -> None:
    other = create_engine(f"sqlite:///{tmp_path}/other.db")
    Row.metadata.create_all(other)
    with Session(other) as session:
        session.add(Row(id=1, text="elsewhere"))
        session.flush()

        executor.submit(double, 2)
    other.dispose()

    assert len(executor.store.jobs()) == 1


def test_an_open_write_of_another_thread_is_waited_for(
    executor: DurableExecutor, plain: Engine
) -> None:
    written, leave = threading.Event(), threading.Event()

    def write() -> None:
        with Session(plain) as session:
            session.add(Row(id=1, text="order"))
            session.flush()
            written.set()
            leave.wait(60)
            session.commit()

    thread = threading.Thread(target=write)
    thread.start()
    written.wait(60)
    submitted = executor.store.submit_nowait([])
    timer = threading.Timer(0.3, leave.set)
    timer.start()

    executor.submit(double, 2)

    thread.join()
    submitted.result(60)
    assert len(executor.store.jobs()) == 1
    assert texts(plain) == ["order"]


def test_a_submit_in_a_session_waits_for_its_turn(executor: DurableExecutor, url: str) -> None:
    """sqlite3 would say "database is locked" after no time at all, were it to wait itself."""
    engine = create_engine(url, connect_args={"timeout": 0.0})
    with _busy_writer(url):
        for _ in range(50):
            with Session(engine) as session:
                executor.using(session).submit(double, 2)
                session.commit()
    engine.dispose()

    assert len(executor.store.jobs(task=double.name, limit=100)) == 50


class _busy_writer:  # noqa: N801 - reads as what it does
    """Another process whose store writes all the time."""

    def __init__(self, url: str) -> None:
        self._words = [sys.executable, "-c", WRITE, url]

    def __enter__(self) -> None:
        self._process = subprocess.Popen(self._words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"writing\n"

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
        assert self._process.returncode == 0


WRITE = """
import select, sys, uuid
from lightwork.model import NewJob
from lightwork.store.sqlstore import open_store
store = open_store(sys.argv[1])
print("writing", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    store.submit([NewJob(id=uuid.uuid4(), task="a:b", payload=bytes(1000)) for _ in range(20)])
store.close()
"""


def test_a_savepoint_without_a_transaction_is_refused(
    executor: DurableExecutor, plain: Engine
) -> None:
    """To release it would commit: sqlite3 has not begun."""
    with (
        Session(plain) as session,
        session.begin_nested(),
        pytest.raises(UsageError, match="in no transaction"),
    ):
        executor.using(session).submit(double, 2)


def test_a_savepoint_after_a_submit_is_in_its_transaction(
    executor: DurableExecutor, plain: Engine
) -> None:
    with Session(plain) as session:
        using = executor.using(session)
        kept = using.submit(double, 1)
        with session.begin_nested():
            using.submit(double, 2)
        session.rollback()

    assert kept.cancelled()
    assert executor.store.jobs() == []


def test_the_file_of_another_name_is_the_same_file(
    executor: DurableExecutor, tmp_path: Path, path: Path
) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(path)
    engine = create_engine(f"sqlite:///{link}")
    with Session(engine) as session:
        executor.using(session).submit(double, 2)
        session.commit()
    engine.dispose()

    assert [job.state for job in executor.store.jobs()] == [State.READY]


def test_a_worker_goes_on_when_a_long_transaction_ends(url: str, plain: Engine) -> None:
    with DurableExecutor(url, workers="threads:1") as executor:
        first = executor.submit(double, 1)
        first.result(60)
        with Session(plain) as session:
            session.add(Row(id=1, text="order"))
            session.flush()
            second = executor.using(session).submit(double, 2)
            # The worker wants to write meanwhile: it renews its row, at least.
            threading.Event().wait(1.0)
            session.commit()

        assert second.result(60) == 4
        wait_until(lambda: executor.store.summary().live_workers == 1, "the worker")


SUBMIT = """
import sys
from sqlalchemy import create_engine
from lightwork.durable.executor import DurableExecutor
from transaction.notes import double
engine = create_engine(sys.argv[1])
with DurableExecutor(sys.argv[1]) as executor, engine.connect() as connection:
    executor.using(connection).submit(double, 2)
    print("submitted", flush=True)
    sys.stdin.readline()
    connection.commit()
    sys.stdin.read()
"""


def test_a_commit_is_heard_at_once_by_other_processes(
    executor: DurableExecutor, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Watch, "_next_pause", lambda _: 3600.0)
    words = [sys.executable, "-c", SUBMIT, url]
    tests = str(Path(__file__).parents[1])
    path = os.pathsep.join([tests, *filter(None, [os.environ.get("PYTHONPATH")])])
    with subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == b"submitted\n"
        seen = executor.store.wait_for_change(-1, 0.0)
        if executor.store.database.file.bell._inotify is None:  # type: ignore[attr-defined]
            pytest.skip("no inotify here")
        other.stdin.write(b"\n")
        other.stdin.flush()

        assert executor.store.wait_for_change(seen, 60.0) != seen
        other.stdin.close()


def test_who_only_reads_may_submit_whatever_the_writer_does_to_the_wal(
    executor: DurableExecutor, plain: Engine
) -> None:
    with plain.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        connection.execute(text("SELECT COUNT(*) FROM job")).scalar()

        # Long enough for the WAL to be cut, which the reader holds up.
        for _ in range(20):
            executor.submit_many(double, [(n,) for n in range(1000)])

        connection.rollback()
    assert executor.store.summary().states[State.READY] == 20_000


def test_the_collector_may_run_while_transactions_are_looked_at(tmp_path: Path) -> None:
    class Connected:
        """As connections that nobody has closed: only the collector lets go of it."""

        def __init__(self) -> None:
            self.itself = self

    table: dict[Any, Any] = begun._begun
    threshold = gc.get_threshold()
    gc.disable()
    try:
        for _ in range(100):
            table[weakref.ref(Connected(), table.pop)] = begun._Begun(0, 0)
        # None that was used before is left: each pair that is made counts from here on.
        pairs = [(number, number) for number in range(10_000)]
        gc.set_threshold(gc.get_count()[0] + 50)
        gc.enable()
        begun.check_not_writing(tmp_path / "work.db", lambda: 0)
        del pairs
    finally:
        gc.set_threshold(*threshold)
        gc.enable()
        gc.collect()
