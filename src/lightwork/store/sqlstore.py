"""SQL store: the contract of contract.py, kept in a SQLite file.

A table of contents: each method says what is done and whether it reads or writes;
how is said in jobs.py, attempts.py, workers.py, chores.py and looking.py. Writes go
through the file's one writer thread, reads through connections of their own, each
in one transaction and so on one snapshot.
"""

import dataclasses
import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Self, TypeVar

from sqlalchemy import Connection

from lightwork.errors import StoreError
from lightwork.lifecycle import AttemptEnd
from lightwork.model import Attempt, JobOutcome, Lane, NewJob, Progress, State, WorkerInfo
from lightwork.store import (
    attempts,
    checking,
    chores,
    claiming,
    jobs,
    looking,
    sqlite_clock,
    workers,
)
from lightwork.store.contract import Store, WhenRunning
from lightwork.store.driver_errors import driver_errors
from lightwork.store.engine import sqlite_path, sqlite_url
from lightwork.store.living import Living
from lightwork.store.sqlite_file import SqliteFile, gate, open_file
from lightwork.store.views import AttemptView, JobView, Rescued, Summary, WorkerView

T = TypeVar("T")


def open_store(url: str, *, create: bool = True) -> Store:
    """Open the store that a URL names; create or upgrade its tables where that is needed.

    Args:
        url: For now sqlite:///path/to/file.db.
        create: False: refuse if there is no store yet.

    Raises:
        UsageError: The URL is not that of a store.
        StoreError: The store cannot be used; the text says why.
        SchemaMismatch: A newer program made it.
    """
    return SqlStore(url, create=create)


class SqlStore:
    """Jobs in SQL; see contract.Store for what each method promises."""

    def __init__(self, url: str, *, create: bool = True) -> None:
        path = sqlite_path(url)
        self._url = sqlite_url(path)
        self._where = str(path)
        self._file: SqliteFile | None = open_file(path, create=create)
        self._is_hurried = False
        self._living = Living(path.with_name(path.name + "-workers"))

    @property
    def url(self) -> str:
        """The URL that opens this store again."""
        return self._url

    @property
    def safe_url(self) -> str:
        """The URL as it may be shown and logged; a file's has no password to hide."""
        return self._url

    @property
    def path(self) -> Path:
        """The file that keeps the jobs."""
        return self._usable().path

    def submit(self, jobs_: Sequence[NewJob]) -> list[bool]:
        """Keep jobs, all or none; False for each whose id was known."""
        return self._write(lambda connection: jobs.submit(connection, jobs_))

    def submit_nowait(self, jobs_: Sequence[NewJob]) -> Future[list[bool]]:
        """Do the same without waiting."""
        return self._usable().writer.post_soon(lambda connection: jobs.submit(connection, jobs_))

    def submit_on(self, connection: Connection, jobs_: Sequence[NewJob]) -> list[bool]:
        """Do the same in the caller's transaction, whose driver errors pass as they are."""
        return jobs.submit_among_others(connection, jobs_)

    def states(self, job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, State]:
        """Return the state of each job that exists."""
        return self._read(lambda connection: jobs.states(connection, job_ids))

    def outcomes(self, job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, JobOutcome]:
        """Return the outcome of each job that has one."""
        return self._read(lambda connection: jobs.outcomes(connection, job_ids))

    def progress(self, job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Progress]:
        """Return what each job has last reported, where it has reported anything."""
        return self._read(lambda connection: jobs.progress(connection, job_ids))

    def cancel(self, job_ids: Iterable[uuid.UUID], *, kill: bool = False) -> dict[uuid.UUID, State]:
        """Cancel waiting jobs, ask for the end of running ones."""
        ids = list(job_ids)
        how: WhenRunning = "kill" if kill else "ask"
        return self._write(lambda connection: jobs.cancel(connection, ids, running=how))

    def cancel_nowait(
        self, job_ids: Iterable[uuid.UUID], *, running: WhenRunning
    ) -> Future[dict[uuid.UUID, State]]:
        """Do the same without waiting; running jobs may be left alone."""
        ids = list(job_ids)
        return self._usable().writer.post_soon(
            lambda connection: jobs.cancel(connection, ids, running=running)
        )

    def retry(self, job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, State]:
        """Make failed and cancelled jobs ready again."""
        ids = list(job_ids)
        return self._write(lambda connection: jobs.retry(connection, ids))

    def register(self, worker: WorkerInfo, *, lease: float, is_here: bool = False) -> None:
        """Make a worker known and give it a lease of so many seconds."""
        if is_here:
            self._living.begin(worker.id, lease)
        try:
            self._write(lambda connection: workers.register(connection, worker, lease))
        except BaseException:
            self._living.end(worker.id)
            raise

    def renew(self, worker_id: uuid.UUID, *, lease: float) -> bool:
        """Extend a lease that has not run out."""
        if self._living.knows(worker_id):
            return self._living.renew(worker_id, lease, self._usable().writer)
        return self._write(lambda connection: workers.renew(connection, worker_id, lease))

    def leave(self, worker_id: uuid.UUID) -> None:
        """Let others rescue what a worker of this process holds: it will not act again."""
        self._living.end(worker_id, is_dead=True)

    def sign_off(self, worker_id: uuid.UUID) -> None:
        """End a worker's lease and release whatever it still holds."""
        self._write(lambda connection: workers.sign_off(connection, worker_id))
        self._living.end(worker_id)

    def release_others(self, worker_id: uuid.UUID, *, held: Sequence[Attempt]) -> int:
        """Release what this worker holds apart from these."""
        return self._write(lambda connection: workers.release_others(connection, worker_id, held))

    def publish_tasks(self, worker_id: uuid.UUID, tasks: Sequence[str]) -> None:
        """Keep the names of the tasks that a worker knows."""
        self._write(lambda connection: workers.publish_tasks(connection, worker_id, tasks))

    def lanes(self, queues: Sequence[str]) -> list[Lane]:
        """Return the lanes of these queues that have ready jobs."""
        return self._read(lambda connection: claiming.lanes(connection, queues))

    def claim(
        self, worker_id: uuid.UUID, *, lanes: Sequence[Lane], limit: int, ahead: int = 0
    ) -> list[Attempt]:
        """Take up to `limit` ready jobs of these lanes to begin, and some ahead."""
        return self._write(
            lambda connection: claiming.claim(connection, worker_id, lanes, limit, ahead)
        )

    def ack(
        self,
        worker_id: uuid.UUID,
        ends: Sequence[tuple[Attempt, AttemptEnd]],
        *,
        begun: Sequence[Attempt] = (),
    ) -> list[Attempt]:
        """Record how attempts ended and which have begun; return the ends refused."""
        worker = worker_id.bytes
        endings = [attempts.ending_of(worker, attempt, end) for attempt, end in ends]

        def write(connection: Connection) -> list[bool]:
            attempts.note_begun(connection, worker_id, begun)
            return attempts.end_attempts(connection, endings)

        accepted = self._write(write)
        return [
            attempt for (attempt, _end), is_ours in zip(ends, accepted, strict=True) if not is_ours
        ]

    def report_progress(
        self, worker_id: uuid.UUID, reports: Sequence[tuple[Attempt, Progress]]
    ) -> None:
        """Record how far attempts are."""
        self._write(lambda connection: attempts.report_progress(connection, worker_id, reports))

    def cancel_requests(self, worker_id: uuid.UUID) -> list[tuple[uuid.UUID, int, bool]]:
        """Return what this worker runs and is asked to stop."""
        return self._read(lambda connection: attempts.cancel_requests(connection, worker_id))

    def promote(self, *, limit: int = 500) -> int:
        """Make due jobs ready."""
        return self._write(lambda connection: chores.promote(connection, limit))

    def rescue(self, *, limit: int = 500) -> list[Rescued]:
        """End the attempts of workers whose lease ran out."""
        dead = self._living.dead()
        life = self._living.life
        # A look first: a hundred idle workers would else write twenty times a second.
        if not dead and not self._read(lambda connection: chores.is_rescue_due(connection, life)):
            return []
        rescued = self._write(
            lambda connection: chores.rescue(connection, limit, self._living.life)
        )
        # Only now: were we killed before that, nobody else would be told.
        self._living.bury(dead)
        return rescued

    def has_dead(self) -> bool:
        """Whether a worker has died whom nobody has declared dead yet."""
        return self._living.is_one_dead()

    def next_due_in(self) -> float | None:
        """Return seconds until the earliest scheduled job is due."""
        return self._read(chores.next_due_in)

    def align_clock(self) -> float:
        """Bring the database clock a little nearer to the wall clock."""
        off = self._read(sqlite_clock.ahead_of_database)
        if abs(off) >= sqlite_clock.STEP:
            self._write(sqlite_clock.align)
        return off / 1000

    def prune(self, *, older_than: float, limit: int = 1000) -> int:
        """Delete jobs that finished more than so many seconds ago."""
        return self._write(lambda connection: chores.prune(connection, older_than, limit))

    def jobs(
        self,
        *,
        state: State | None = None,
        task: str | None = None,
        queue: str | None = None,
        limit: int = 50,
        before_seq: int | None = None,
    ) -> list[JobView]:
        """Return jobs, newest first."""
        return self._read(
            lambda connection: looking.jobs(
                connection, state=state, task=task, queue=queue, limit=limit, before_seq=before_seq
            )
        )

    def job(self, job_id: uuid.UUID) -> JobView | None:
        """Return one job, or None."""
        return self._read(lambda connection: looking.one_job(connection, job_id))

    def payloads(self, job_ids: Iterable[uuid.UUID], *, largest: int) -> dict[uuid.UUID, bytes]:
        """Return what jobs are called with, where it is small."""
        return self._read(lambda connection: looking.payloads(connection, job_ids, largest))

    def attempts(self, job_id: uuid.UUID) -> list[AttemptView]:
        """Return the ended attempts of a job."""
        return self._read(lambda connection: looking.attempts(connection, job_id))

    def workers(self, *, include_dead: bool = False) -> list[WorkerView]:
        """Return workers, latest first."""
        # The files are ahead of the rows, which may wait for whoever holds the database.
        found = self._read(lambda connection: looking.workers(connection, include_dead=True))
        views = [self._living.corrected(view) for view in found]
        return [view for view in views if include_dead or view.is_live]

    def summary(self) -> Summary:
        """Return counts by state and queue."""
        live = self.workers()
        slots = sum(worker.slots for worker in live)
        summary = self._read(looking.summary)
        return dataclasses.replace(summary, live_workers=len(live), slots=slots)

    def check(self) -> list[str]:
        """Return what is wrong with the stored data."""
        return self._read(checking.problems)

    def repair(self) -> list[str]:
        """Move damaged rows out of the way."""
        return self._write(checking.repair)

    def changes(self) -> int:
        """Return a number that differs after any commit by anybody."""
        return self._usable().watch.changes()

    def wait_for_change(self, seen: int, timeout: float) -> int:
        """Wait until `changes()` differs from `seen` or the time is up."""
        return self._usable().watch.wait(seen, timeout)

    def hurry(self) -> None:
        """Let no call wait for the database for longer than a second any more."""
        self._is_hurried = True

    def close(self) -> None:
        """Let go of files and threads; idempotent."""
        file, self._file = self._file, None
        if file is not None:
            file.let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<SqlStore {self._url}>"

    def _read(self, read: Callable[[Connection], T]) -> T:
        file = self._usable()
        with gate, file.same, driver_errors(self._where), file.reader.connect() as connection:
            return read(connection)

    def _write(self, write: Callable[[Connection], T]) -> T:
        return self._usable().writer.post(write, is_hurried=lambda: self._is_hurried)

    def _usable(self) -> SqliteFile:
        file = self._file
        if file is None:
            raise StoreError(f"store {self._where} was closed; open it again")
        file.check_usable()
        return file
