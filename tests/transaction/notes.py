"""A table of the user's own, beside those of lightwork, and tasks of the tests beside this."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, String, func, select
from sqlalchemy import text as statement_of
from sqlalchemy.event import listen
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from lightwork.durable.executor import DurableExecutor
from lightwork.errors import UsageError
from lightwork.pool.call.current import current
from lightwork.tasks.task import task


@dataclass(frozen=True)
class Point:
    """A class that only annotations let through."""

    x: int
    y: int


class Base(DeclarativeBase):
    """Tables of the user's own."""


class Row(Base):
    """One row of them."""

    __tablename__ = "note_of_user"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(String(50))


def texts(engine: Engine) -> list[str]:
    with Session(engine) as session:
        return list(session.scalars(select(Row.text).order_by(Row.id)))


def count(engine: Engine) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(Row)) or 0


@task
def double(n: int) -> int:
    return 2 * n


# --- tasks that change the database in their own transaction


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@task(transaction=True)
def add_note(session: Session, number: int, text: str = "note") -> int:
    session.add(Row(id=number, text=text))
    return number


@task(transaction=True, retries=2, backoff=0.0)
def add_and_fail_first(session: Session, number: int) -> int:
    session.add(Row(id=number + current().attempt, text=f"attempt {current().attempt}"))
    session.flush()
    if current().attempt == 1:
        raise ValueError("first")
    return current().attempt


@task(transaction=True)
def commit_and_fail(session: Session) -> None:
    session.add(Row(id=1, text="committed"))
    session.commit()
    raise ValueError("no")


@task(transaction=True)
def change_mind(session: Session) -> None:
    session.add(Row(id=1, text="first"))
    session.commit()
    session.add(Row(id=2, text="second"))
    session.flush()
    session.rollback()
    session.add(Row(id=3, text="third"))


@task(transaction=True)
def commit_for_good(session: Session) -> None:
    session.add(Row(id=1, text="never"))
    session.flush()
    session.connection().commit()


@task(transaction=True, retries=3, backoff=0.0)
def end_by_text(session: Session, statement: str, *, goes_on: bool) -> None:
    """End the transaction by a statement that SQLAlchemy knows nothing of."""
    session.add(Row(id=1, text="by itself"))
    session.flush()
    try:
        session.execute(statement_of(statement))
        session.execute(select(Row.text))
    except UsageError:
        if not goes_on:
            raise


@task(transaction=True)
def break_a_rule(session: Session) -> None:
    """Fail where the session is flushed, after the function."""
    session.add(Row(id=1, text="one"))
    session.flush()
    session.expunge_all()
    session.add(Row(id=1, text="again"))


@task(transaction=True)
def return_what_cannot_be_kept(session: Session) -> object:
    session.add(Row(id=1, text="one"))
    return object()


@task(transaction=True)
def die_at(session: Session, number: int, event: str, first: int) -> int:
    """Be killed there, in the first attempts."""
    session.add(Row(id=number, text=event))
    session.flush()
    if current().attempt <= first:
        if event == "now":
            die()
        listen(session.get_bind().engine, event, die)
    return current().attempt


@task(transaction=True)
def kill_after_commit(session: Session, pid: int) -> int:
    session.add(Row(id=1, text="committed"))
    listen(session.get_bind().engine, "checkin", lambda *_: os.kill(pid, signal.SIGKILL))
    return 1


@task(transaction=True)
def wait_then_add(session: Session, path: str) -> None:
    Path(f"{path}.entered").touch()
    while not Path(path).exists():
        time.sleep(0.005)
    session.add(Row(id=1, text="late"))


@task(transaction=True)
def report_and_add(session: Session) -> None:
    for done in range(1, 21):
        current().progress(done, 20, f"step {done}")
    session.add(Row(id=1, text="reported"))


@task(transaction=True)
def see_environment(session: Session, word: str) -> list[str]:
    """Return where in this process, and in those above it, the word can be read by others."""
    session.execute(select(1))
    found: list[str] = []
    pid = os.getpid()
    while pid > 1:
        files = [Path(f"/proc/{pid}/{name}") for name in ("cmdline", "environ")]
        found += [str(file) for file in files if word.encode() in file.read_bytes()]
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return found


@task(transaction=True)
def submit_next(session: Session, url: str, *, fail: bool) -> str:
    """Submit a job that exists if this one succeeds."""
    with DurableExecutor(url) as executor:
        future = executor.using(session).submit(double, 21)
        if fail:
            raise ValueError("no")
        return str(getattr(future, "job_id", ""))


@task(transaction=True)
def submit_apart(session: Session, url: str) -> str:
    """Submit in another transaction while this one has written."""
    session.add(Row(id=1, text="note"))
    session.flush()
    with DurableExecutor(url) as executor:
        try:
            executor.submit(double, 21)
        except UsageError as error:
            return str(error)
    return "submitted"


@task(transaction=True)
def typed(session: Session, at: Point, *, other: Point) -> Point:
    session.add(Row(id=at.x, text=str(other.y)))
    return other
