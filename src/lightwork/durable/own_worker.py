"""Own worker: the worker that a durable executor runs inside of its program."""

import inspect
import logging
from collections.abc import Callable
from typing import Any, Final

from lightwork.command.job import COMMAND
from lightwork.durable.delivery_thread import Delivery
from lightwork.durable.outcome_watch import OutcomeWatch
from lightwork.error_text import did_you_mean
from lightwork.errors import PoolError, UsageError
from lightwork.events.listeners import Listeners
from lightwork.lifecycle import Cancelled, Failed, Quarantined, Succeeded
from lightwork.model import JobOutcome, State
from lightwork.numeric import as_int
from lightwork.pool.open_pool import count_slots
from lightwork.store.contract import Store
from lightwork.tasks.task import Task
from lightwork.work.acks import Ends
from lightwork.work.service import PoolKeywords, Worker

log = logging.getLogger(__name__)

# What the executor itself says to its worker.
_OURS: Final = frozenset(
    {
        *("store", "executor", "imported", "burst", "pool_options"),
        *("on_ending", "on_recorded", "on_failed", "listeners"),
    }
)
_FINAL: Final = {
    Succeeded: State.SUCCEEDED,
    Failed: State.FAILED,
    Quarantined: State.FAILED,
    Cancelled: State.CANCELLED,
}


class OwnWorker:
    """Runs jobs here, if the executor was given workers, and tells the outcomes that it records.

    Args:
        where: Where calls run; "": nowhere, this program runs no jobs.
        options: Those of Worker that are the user's to set.
        watch: Told of outcomes, and of what ended the worker.
        listeners: Told of what it does.
        delivery: Tells the watch: that runs users' callbacks, for which the worker must not wait.
    """

    def __init__(
        self,
        where: str,
        options: dict[str, Any],
        *,
        watch: OutcomeWatch,
        delivery: Delivery,
        listeners: Listeners,
    ) -> None:
        self._where = where
        self._options = options
        self._watch = watch
        self._delivery = delivery
        self._listeners = listeners
        self._worker: Worker | None = None
        # What ended it, if anything did.
        self._failure: BaseException | None = None
        # Of the ends that are being recorded; used by the worker's thread alone.
        self._mark = 0
        # The parent's, in a forked child; kept, for what is let go of is ended.
        self._inherited: Worker | None = None

    def start(self, store: Store, authkey: bytes, on_ending: Callable[[Ends], None]) -> None:
        """Begin to claim; returns when it is at work, or has failed.

        `on_ending` hears of ends before they are recorded; see Worker.
        """
        if not self._where:
            return
        self._worker = Worker(
            # One of its own, which it can hurry at the end.
            store.url,
            executor=self._where,
            authkey=authkey,
            imported=True,
            on_ending=lambda ends: self._note_ending(ends, on_ending),
            on_recorded=self._note_recorded,
            on_failed=self._note_failed,
            listeners=self._listeners,
            **self._options,
        )
        self._delivery.start()
        self._worker.start()

    def __str__(self) -> str:
        return f" workers={self._where}" if self._where else ""

    def warm(self) -> None:
        """Start every child of its pool; return when all are ready."""
        if self._worker is not None:
            self._worker.warm()

    @property
    def is_there(self) -> bool:
        """Whether this program runs jobs."""
        return self._worker is not None

    def serves(self, task: Task[..., Any]) -> bool:
        """Whether it claims jobs of the task, which this program has in its hands."""
        if self._worker is None or task.policy.queue not in self._worker.queues:
            return False
        if task.name != COMMAND:
            # It would find most by itself; but not one that no module has under its name.
            self._worker.catalog.add(task)
        return self._worker.catalog.knows(task.name)

    def check_commands(self) -> None:
        """Raise if this program runs jobs, but no commands.

        Raises:
            UsageError: It does.
        """
        if self._worker is not None and not self._worker.catalog.knows(COMMAND):
            raise UsageError(
                "the worker of this executor runs no commands: say allow_commands=True beside "
                "workers=; or keep jobs with workers=0, and run them with lightwork worker "
                "--allow-commands"
            )

    def check_alive(self) -> None:
        """Raise if it has failed: what is submitted now would wait for ever.

        Raises:
            PoolError: With what ended it.
        """
        if self._failure is not None:
            raise PoolError(
                f"the worker of this executor has ended: {self._failure}; "
                "its jobs are in the store, open another executor to go on with them"
            ) from self._failure

    def be_forked(self) -> None:
        """Forget it in a forked child: it is the parent's."""
        self._inherited, self._worker = self._worker, None

    def stop(self) -> None:
        """Stop it at once; what it holds is handed back. Idempotent."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.stop()
            worker.stop()
            worker.wait()

    def _note_ending(self, ends: Ends, on_ending: Callable[[Ends], None]) -> None:
        # Whoever waits for a job that is retried once this is recorded begins after it.
        self._mark = self._watch.mark()
        on_ending(ends)

    def _note_recorded(self, ends: Ends) -> None:
        mark = self._mark
        self._delivery.give(lambda: self._watch.deliver(_outcomes(ends), mark=mark))

    def _note_failed(self, error: BaseException) -> None:
        log.error("worker_failed error=%s", error)
        self._failure = error
        # Behind the outcomes that were recorded before.
        self._delivery.give(lambda: self._watch.fail(error))


def worker_place(workers: int | str) -> str:
    """Return where an own worker runs its calls, "" for no worker.

    Raises:
        UsageError: It is neither a number nor a place.
    """
    if isinstance(workers, str):
        count_slots(workers)  # Raises, before a file is made.
        return workers
    number = as_int(workers)
    if number is None or number < 0:
        raise UsageError(f"workers must be a number of children, at least 0; seen: {workers!r}")
    return f"processes:{number}" if number else ""


def check_worker_options(options: dict[str, Any], where: str) -> None:
    """Raise unless these are options of a worker, and there is to be one.

    Raises:
        TypeError: A name is unknown.
        UsageError: There is no worker that they could be for.
    """
    parameters = inspect.signature(Worker).parameters
    known = [name for name in parameters if name not in _OURS]
    known += PoolKeywords.__annotations__
    names = list(dict.fromkeys(["workers", "authkey", *known]))
    if unknown := sorted(options.keys() - set(known)):
        raise TypeError(
            f"DurableExecutor got an unexpected keyword argument {unknown[0]!r}; "
            f"expected one of {', '.join(names)}{did_you_mean(unknown[0], names)}"
        )
    if options and not where:
        raise UsageError(
            f"{', '.join(options)}: options of a worker, but workers=0; "
            "say how many children may run jobs here"
        )


def _outcomes(ends: Ends) -> list[JobOutcome]:
    return [
        JobOutcome(
            job_id=attempt.job_id,
            state=_FINAL[type(end)],
            attempt=attempt.number,
            result=end.result if isinstance(end, Succeeded) else b"",
            error=end.error if isinstance(end, Failed | Quarantined) else None,
        )
        for attempt, end in ends
        if type(end) in _FINAL
    ]
