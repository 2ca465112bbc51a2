"""A submitter as a program: python run_submitter.py URL FOLDER NAME FIRST LAST.

It submits the jobs of these numbers in different ways, and notes what it knows of them in
FOLDER/NAME.history: `sent` before, `kept` once the store has acknowledged them, `never` for what
is rolled back. Where an answer is lost it submits again with the same ids until it gets one.
"""

import random
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from chaos.history import History
from chaos.tasks import note_and_return
from lightwork.codec import Codec
from lightwork.durable.jobs import new_job
from lightwork.errors import StoreUnavailable
from lightwork.model import NewJob
from lightwork.net.opening import open_store
from lightwork.store.contract import Store
from lightwork.store.sqlstore import SqlStore

_CODEC = Codec()
_PAUSE = 0.05


class Submitter:
    """Submits, again and again."""

    def __init__(self, store: Store, history: History, runs: str) -> None:
        self._store = store
        self._history = history
        self._runs = runs
        # Of whoever is behind a server a transaction of one's own is nothing.
        self._engine = (
            create_engine(store.url, poolclass=NullPool) if isinstance(store, SqlStore) else None
        )

    def submit(self, numbers: Sequence[int]) -> None:
        jobs = [self._job(number) for number in numbers]
        self._history.note("sent", numbers[-1], *(job.id.hex for job in jobs))
        ways = [self._plainly, self._plainly, self._soon]
        way = random.choice(ways if self._engine is None else [*ways, self._among_others])
        until_answered(lambda: way(jobs))
        self._history.note("kept", *(job.id.hex for job in jobs))

    def undo(self) -> None:
        """Submit in a transaction that is rolled back."""
        if self._engine is None:
            return
        engine = self._engine
        job = self._job(0)
        self._history.note("never", job.id.hex)

        def submit_and_undo() -> None:
            with engine.connect() as connection:
                self._store.submit_on(connection, [job])
                connection.rollback()

        until_answered(submit_and_undo)

    def _plainly(self, jobs: Sequence[NewJob]) -> None:
        self._store.submit(jobs)

    def _soon(self, jobs: Sequence[NewJob]) -> None:
        self._store.submit_nowait(jobs).result()

    def _among_others(self, jobs: Sequence[NewJob]) -> None:
        assert self._engine is not None
        with self._engine.begin() as connection:
            self._store.submit_on(connection, jobs)

    def _job(self, number: int) -> NewJob:
        args = (self._runs, number)
        return new_job(_CODEC, note_and_return, args, {}, uuid.uuid4())


def until_answered(call: Callable[[], None]) -> None:
    while True:
        try:
            call()
        except (StoreUnavailable, DBAPIError) as error:
            # In a transaction of the user's own the driver's errors pass as they are.
            print(f"again: {str(error)[:300]}", file=sys.stderr)
            time.sleep(_PAUSE)
        else:
            return


def parts(first: int, last: int) -> Iterator[Sequence[int]]:
    """Cut the numbers into calls of submit."""
    while first <= last:
        count = min(random.choice([1, 1, 1, 2, 5, 20]), last - first + 1)
        yield range(first, first + count)
        first += count


def opened(url: str) -> Store:
    while True:
        try:
            return open_store(url)
        except StoreUnavailable:
            time.sleep(_PAUSE)


def main() -> None:
    url, folder, name, first, last = sys.argv[1:]
    history = History(f"{folder}/{name}.history")
    with closing(opened(url)) as store:
        submitter = Submitter(store, history, f"{folder}/runs")
        for numbers in parts(int(first), int(last)):
            submitter.submit(numbers)
            if random.random() < 0.1:
                submitter.undo()
    history.note("ended")


if __name__ == "__main__":
    main()
