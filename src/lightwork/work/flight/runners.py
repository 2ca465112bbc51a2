"""Runners: what runs the attempts of each task that a worker has met, made once."""

from collections.abc import Callable

from lightwork.codec import Codec
from lightwork.model import Attempt
from lightwork.store.contract import Store
from lightwork.tasks.task import Task
from lightwork.work.catalog import Catalog
from lightwork.work.flight.bundled import is_light
from lightwork.work.in_flight import InFlight
from lightwork.work.middleware.around import Middleware
from lightwork.work.runner import Runner, make_runner
from lightwork.work.transaction.runner import TransactionRunner


class Runners:
    """Finds them by the names in the store; used by the worker's loop only.

    Args:
        store: Whose jobs run; those of tasks with `transaction=True` connect to it themselves.
        catalog: Which functions jobs may name.
        codec: How payloads are read and results written.
        middleware: Entered around each attempt.
        sends_errors: What a task raises comes back as itself, too.
    """

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        codec: Codec,
        *,
        middleware: tuple[Middleware, ...] = (),
        sends_errors: bool = False,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._codec = codec
        self._middleware = middleware
        self._sends_errors = sends_errors
        self._made: dict[str, Runner] = {}

    def known(self, name: str) -> Runner | None:
        """Return the runner of a task that was met before; None: it was not."""
        return self._made.get(name)

    def sharing(self, in_flight: InFlight) -> Callable[[Attempt, Attempt], bool]:
        """Return what tells whether another attempt may be in one bundle with the first of it."""
        first: Attempt | None = None
        may_be_first = False

        def can_share(one: Attempt, other: Attempt) -> bool:
            nonlocal first, may_be_first
            # Asked for each job: what they have in common is looked at once.
            if one is not first:
                first, runner = one, self.known(one.task)
                may_be_first = runner is not None and in_flight.can_travel_together(one, runner)
            is_like = other.policy is one.policy and other.task == one.task
            return may_be_first and is_like and is_light(other)

        return can_share

    def find(self, name: str) -> Runner:
        """Return the runner of a task.

        Raises:
            TaskNotFound: Nobody here knows the task.
            UsageError: It can never be run, as an async generator.
        """
        runner, task = self._made.get(name), self._catalog.find(name)
        # In a notebook a task may be declared anew.
        if runner is None or runner.task.fn is not task.fn:
            runner = self._made[name] = self._make(task, name)
            runner.middleware = self._middleware
        return runner

    def _make(self, task: Task[..., object], name: str) -> Runner:
        sends = self._sends_errors
        if task.transaction:
            return TransactionRunner(task, self._codec, name, self._store.url, sends_errors=sends)
        return make_runner(task, self._codec, name, sends_errors=sends)
