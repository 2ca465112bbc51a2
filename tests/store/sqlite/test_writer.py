"""The writer thread: many writes in one commit, each with its own result or error."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from lightwork.errors import StoreError
from lightwork.store.contracts.news import News
from lightwork.store.sqlite.engine import writing_engine
from lightwork.store.sqlite.filelock import FileLock
from lightwork.store.sqlite.fork_gate import ForkGate
from lightwork.store.sqlite.wal import Wal
from lightwork.store.sqlite.writer import Writer


class Bench:
    """A writer on a file with one table, and what it did."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.commits = 0
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("CREATE TABLE t (n INTEGER UNIQUE)")
        self.lock = FileLock(path.with_name("lock"))
        self.writer = Writer(
            writing_engine(path, create=True),
            self.lock,
            str(path),
            on_begin=lambda: None,
            on_commit=self.count_commit,
            gate=ForkGate(),
            check=lambda: None,
            wal=Wal(path),
        )
        self.results: dict[int, Any] = {}

    def count_commit(self, _is_alone: Callable[[], bool], news: News) -> None:
        self.commits += news is News.ALL

    def post_together(self, *writes: Callable[[Connection], Any]) -> None:
        """Post each write from a thread of its own, all before the first may run."""
        self.connection.execute("BEGIN IMMEDIATE")
        threads = []
        for index, write in enumerate(writes):
            threads.append(threading.Thread(target=self._post, args=(index, write)))
            threads[-1].start()
            self._wait_until_waiting(index + 1)
        self.connection.execute("ROLLBACK")
        for thread in threads:
            thread.join()

    def rows(self) -> list[int]:
        return [n for (n,) in self.connection.execute("SELECT n FROM t ORDER BY n")]

    def _post(self, index: int, write: Callable[[Connection], Any]) -> None:
        try:
            self.results[index] = self.writer.post(write)
        except Exception as error:
            self.results[index] = error

    def _wait_until_waiting(self, count: int) -> None:
        pause = threading.Event()
        for _ in range(10_000):
            if len(self.writer._waiting) == count:
                return
            pause.wait(0.001)
        raise AssertionError(f"{count} writes should be waiting")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "work.db")
    yield made
    made.writer.close()
    made.lock.close()
    made.connection.close()


def insert(n: int) -> Callable[[Connection], int]:
    def write(connection: Connection) -> int:
        connection.exec_driver_sql("INSERT INTO t VALUES (?)", (n,))
        return n

    return write


def insert_and_fail(connection: Connection) -> None:
    connection.exec_driver_sql("INSERT INTO t VALUES (99)")
    raise KeyError("mine")


def test_write_returns_its_result_after_the_commit(bench: Bench) -> None:
    result = bench.writer.post(insert(1))

    assert (result, bench.rows()) == (1, [1])


def test_writes_that_wait_share_one_commit(bench: Bench) -> None:
    bench.post_together(*map(insert, range(10)))

    assert (bench.rows(), bench.results, bench.commits) == (
        list(range(10)),
        {n: n for n in range(10)},
        1,
    )


def test_error_of_one_write_leaves_its_neighbours_alone(bench: Bench) -> None:
    bench.post_together(insert(1), insert_and_fail, insert(3))

    assert (bench.rows(), bench.commits) == ([1, 3], 1)
    assert isinstance(bench.results[1], KeyError)


def test_error_of_a_single_write_undoes_it(bench: Bench) -> None:
    with pytest.raises(KeyError):
        bench.writer.post(insert_and_fail)

    assert (bench.rows(), bench.commits) == ([], 0)


def test_driver_error_becomes_ours_with_its_cause(bench: Bench) -> None:
    bench.writer.post(insert(1))

    with pytest.raises(StoreError, match="UNIQUE") as failure:
        bench.writer.post(insert(1))

    assert failure.value.__cause__ is not None


def test_writes_of_a_transaction_that_the_database_gave_up_run_again(bench: Bench) -> None:
    runs: list[int] = []

    def give_up_once(connection: Connection) -> str:
        runs.append(1)
        if len(runs) == 1:
            connection.exec_driver_sql("ROLLBACK")
            connection.exec_driver_sql("this is no SQL")
        return "second time"

    bench.post_together(insert(1), give_up_once, insert(3))

    assert (bench.rows(), bench.results[1], len(runs)) == ([1, 3], "second time", 2)


def test_write_that_changes_nothing_is_no_commit(bench: Bench) -> None:
    bench.writer.post(lambda connection: connection.exec_driver_sql("SELECT 1").scalar())

    assert bench.commits == 0


def test_failed_commit_is_told_to_everybody(bench: Bench) -> None:
    bench.connection.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
    bench.connection.execute(
        "CREATE TABLE kid (id REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)"
    )

    def break_the_commit(connection: Connection) -> None:
        connection.exec_driver_sql("INSERT INTO kid VALUES (5)")

    bench.writer.post(lambda connection: None)
    driver = bench.writer._connected().connection.driver_connection
    assert driver is not None
    driver.execute("PRAGMA foreign_keys = ON")
    bench.post_together(insert(1), break_the_commit)

    assert [type(bench.results[n]) for n in (0, 1)] == [StoreError, StoreError]
    assert (bench.rows(), bench.writer.post(insert(2))) == ([], 2)


def test_closed_writer_takes_no_more(bench: Bench) -> None:
    bench.writer.close()

    with pytest.raises(StoreError, match="closed"):
        bench.writer.post(insert(1))


def test_close_writes_what_was_posted_before(bench: Bench) -> None:
    bench.connection.execute("BEGIN IMMEDIATE")
    poster = threading.Thread(target=bench._post, args=(0, insert(1)))
    poster.start()
    bench._wait_until_waiting(1)

    closer = threading.Thread(target=bench.writer.close)
    closer.start()
    bench.connection.execute("ROLLBACK")
    closer.join()
    poster.join()

    assert bench.rows() == [1]
