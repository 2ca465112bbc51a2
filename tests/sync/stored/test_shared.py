"""Programs that share a value in a store: they count rightly, whoever is killed, and who comes late is refused."""

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import lightwork as lw
from lightwork.store.contract import Store
from store.steps import scalar
from sync.faces.conftest import close_stored
from sync.stored.conftest import StartProgram
from waiting import wait_until

ROUNDS = 10


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close_stored()


def test_a_balance_ends_at_zero(start: StartProgram, url: str) -> None:
    programs = [start() for _ in range(3)]

    for number, program in enumerate(programs):
        program.begin(f"change({number + 1}, {ROUNDS})")

    assert [program.end() for program in programs] == [ROUNDS] * 3
    assert lw.Value("q", 0, lock=False, name="balance", where=url).value == 0


def test_a_program_that_is_killed_leaves_the_count_right(start: StartProgram, url: str) -> None:
    killed, *others = [start(lease=2.0) for _ in range(3)]
    own = lw.Value("q", 0, lock=False, name="of 0", where=url)

    killed.begin(f"count(0, {10_000})")
    for number, program in enumerate(others, start=1):
        program.begin(f"count({number}, {ROUNDS})")
    wait_until(lambda: own.value > 3, "it counts")
    killed.close()

    assert [program.end() for program in others] == [ROUNDS] * 2
    # It may have been killed after it had counted for itself, and before it had for all.
    total = lw.Value("q", 0, lock=False, name="of all", where=url).value
    assert total - 2 * ROUNDS in (own.value - 1, own.value)


def test_a_lock_of_who_was_killed_is_inherited(start: StartProgram, url: str) -> None:
    program, lock = start(lease=2.0), lw.Lock("table", where=url)
    assert program.do("lock.acquire()") is True
    program.close()

    assert lock.acquire(timeout=30.0)

    assert (lock.inherited, lock.token) == (True, 2)
    lock.release()


def test_who_was_stopped_and_comes_late_is_refused_by_its_token(
    start: StartProgram, url: str, path: Path
) -> None:
    program, lock = start(lease=2.0), lw.Lock("table", where=url)
    assert program.do("lock.acquire()") is True
    with closing(sqlite3.connect(path.with_name("row.db"), isolation_level=None)) as database:
        database.execute("CREATE TABLE row (text TEXT, token INTEGER)")
        database.execute("INSERT INTO row VALUES ('', 0)")

        def write(text: str, token: int) -> int:
            change = "UPDATE row SET text = ?, token = ? WHERE token <= ?"
            return database.execute(change, (text, token, token)).rowcount

        program.stop(path.with_name("work.db-lock"))
        assert lock.acquire(timeout=30.0)
        assert write("the next one's", lock.token) == 1
        program.send(signal.SIGCONT)

        # It has not looked yet, and writes.
        late = program.do("lock.token")
        assert write("the late one's", late) == 0
        assert program.do("lock.release()")[0] == "LockLost"
        assert database.execute("SELECT text FROM row").fetchone() == ("the next one's",)
    lock.release()


def test_a_program_takes_what_another_puts(start: StartProgram, url: str) -> None:
    queue: lw.Queue[int] = lw.Queue(name="numbers", where=url)
    program = start()
    program.begin("sum(lw.Queue(name='numbers', where=url))")

    queue.put_many(range(20))
    queue.shutdown()

    assert program.end() == sum(range(20))


def test_what_a_killed_program_was_lent_comes_back(start: StartProgram, url: str) -> None:
    queue: lw.Queue[str] = lw.Queue(name="lent", where=url)
    queue.put("a")
    program = start(lease=2.0)
    assert program.do("lw.Queue(name='lent', where=url).get(ack=False).value") == "a"

    program.close()

    assert queue.get(timeout=30.0) == "a"


def test_an_unnamed_one_is_known_as_such(url: str, store: Store) -> None:
    lock, named = lw.Lock(where=url), lw.Lock("named", where=url)
    with lock, named:
        pass

    assert {view.name for view in store.primitives()} == {lock.name, "named"}
    shown = "SELECT name FROM primitive WHERE is_named = 0"
    assert scalar(store, shown) == lock.name
