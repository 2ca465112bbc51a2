"""Boundaries: one step of the life of some jobs, killed after its n-th statement or before its commit.

python boundaries.py URL: for each line NUMBER STEP QUEUE HELD of standard input a forked child does
that step of a life whose former steps somebody else has done, and kills itself at the given
boundary. Boundaries are: after each statement that any engine of SQLAlchemy executes, and
before each commit. The child's status is printed: 0 if it came to its end before.

Steps do the same whenever they are done: what is in the store after each of them can be
compared with what another life has left.
"""

import base64
import functools
import os
import pickle
import signal
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Engine, NullPool, create_engine, event, make_url

from lightwork.lifecycle import Cancelled, Retried, Succeeded
from lightwork.model import Attempt, ErrorInfo, Lane, NewJob, Policy, Progress, WorkerInfo
from lightwork.store.opening import kind_of
from lightwork.store.sqlstore import SqlStore

TASK: Final = "jobs:work"
JOBS: Final = 10
_ERROR: Final = ErrorInfo(type="ValueError", text="no", traceback="Traceback: no")
# Longer than the delays below, by the clock of whatever database.
_DUE_SECONDS: Final = 0.02


def job_ids(queue: str) -> list[uuid.UUID]:
    """Return the ids of the jobs that a life on this queue submits."""
    return [uuid.uuid5(uuid.NAMESPACE_OID, f"{queue} {number}") for number in range(JOBS)]


@functools.cache
def engine_of(url: str) -> Engine:
    """Return an engine of the user's own: to make one costs more than a step."""
    return create_engine(url, poolclass=NullPool)


class Life:
    """The steps, in the order of `steps`, on a queue of its own.

    Args:
        held: What its workers have claimed so far.
    """

    def __init__(self, store: SqlStore, queue: str, held: dict[uuid.UUID, Attempt]) -> None:
        self.store = store
        self.lanes = [Lane(queue, TASK)]
        self.ids = job_ids(queue)
        self.queue = queue
        self.first, self.second = (uuid.uuid5(one, queue) for one in self.ids[:2])
        self.held = held

    def do(self, number: int) -> None:
        """Do one step."""
        # Time that passes is part of the life: what is delayed becomes due, what is over old.
        time.sleep(_DUE_SECONDS if number in self.LATE else 0)
        self.steps()[number]()

    def steps(self) -> list[Callable[[], object]]:
        return [
            lambda: self._register(self.first),
            lambda: self._register(self.second),
            lambda: self.store.submit([self._job(0)]),
            lambda: self.store.submit(
                [*map(self._job, (1, 2, 3, 4)), self._job(5, delay=0.001), self._job(9, delay=60)]
            ),
            # One that is known, and one that is not.
            lambda: self.store.submit([self._job(0), self._job(6)]),
            lambda: self._submit_with_others(7),
            lambda: self._submit_with_others(8, is_undone=True),
            lambda: self.store.cancel([self.ids[1], self.ids[9]]),
            lambda: self._claim(self.first, limit=2, ahead=2),
            lambda: self.store.ack(self.first, [], begun=self._attempts(0, 2)),
            lambda: self._ack(self.first, [(0, Succeeded(b"done")), (2, Retried(_ERROR, 0.001))]),
            lambda: self.store.report_progress(
                self.first, [(one, Progress(done=1, note="half")) for one in self._attempts(3)]
            ),
            lambda: self.store.cancel([self.ids[3]]),
            lambda: self.store.release_others(self.first, held=self._attempts(3)),
            lambda: self._claim(self.second, limit=2, ahead=0),
            lambda: self.store.ack(self.second, [], begun=self._attempts(4)),
            self._end_lease_of_the_second,
            self.store.rescue,
            self.store.promote,
            lambda: self._ack(self.first, [(3, Cancelled())]),
            lambda: self.store.retry([self.ids[1]]),
            lambda: self._claim(self.first, limit=3, ahead=0),
            lambda: self.store.sign_off(self.first),
            lambda: self.store.prune(older_than=0.0),
        ]

    # Promote and prune.
    LATE: Final = (18, 23)

    def _job(self, number: int, *, delay: float = 0.0) -> NewJob:
        policy = Policy(queue=self.queue, delay=delay)
        return NewJob(id=self.ids[number], task=TASK, payload=b"payload", policy=policy)

    def _register(self, worker_id: uuid.UUID) -> None:
        info = WorkerInfo(id=worker_id, name="one", host="host", pid=1, slots=2)
        self.store.register(info, lease=3600)

    def _submit_with_others(self, number: int, *, is_undone: bool = False) -> None:
        with engine_of(self.store.url).connect() as connection:
            self.store.submit_on(connection, [self._job(number)])
            if not is_undone:
                connection.commit()

    def _claim(self, worker_id: uuid.UUID, *, limit: int, ahead: int) -> None:
        claimed = self.store.claim(worker_id, lanes=self.lanes, limit=limit, ahead=ahead)
        self.held |= {attempt.job_id: attempt for attempt in claimed}

    def _attempts(self, *numbers: int) -> list[Attempt]:
        return [self.held[self.ids[number]] for number in numbers]

    def _ack(self, worker_id: uuid.UUID, ends: list[tuple[int, Any]]) -> None:
        refused = self.store.ack(
            worker_id, [(self._attempts(number)[0], end) for number, end in ends]
        )
        assert refused == []

    def _end_lease_of_the_second(self) -> None:
        with engine_of(self.store.url).begin() as connection:
            marker = "?" if connection.dialect.name == "sqlite" else "%s"
            statement = f"UPDATE worker SET lease_until = 1 WHERE id = {marker}"
            connection.exec_driver_sql(statement, (self.second.bytes,))


class Boundaries:
    """Counts them, and ends this process at the one of that number."""

    def __init__(self, fatal: int) -> None:
        self._fatal = fatal
        self._count = 0

    def watch(self) -> None:
        event.listen(Engine, "after_cursor_execute", self._note)
        event.listen(Engine, "commit", self._note)

    def _note(self, *_: object) -> None:
        self._count += 1
        if self._count == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)
            # Not a statement more, whichever thread the signal finds.
            signal.pause()


def main() -> None:
    url = sys.argv[1]
    # All that a child needs, and nothing that has a thread.
    kind_of(url)
    make_url(url).get_dialect().import_dbapi()
    for line in sys.stdin:
        fatal, number, queue, held = line.split()
        child = os.fork()
        if child == 0:
            with SqlStore(url) as store:
                life = Life(store, queue, pickle.loads(base64.b64decode(held)))
                Boundaries(int(fatal)).watch()
                life.do(int(number))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
