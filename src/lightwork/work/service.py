"""Service: a worker as a program runs it: opens the store, obeys signals, says how it ends.

The loop itself (worker.py) runs in a thread of its own and the main thread only
reads signals from a pipe, into which the interpreter itself writes them. Two
simpler ways fail once in a thousand times: a function for a signal that sets an
event can deadlock with the wait that it interrupts, and a signal that comes just
before a blocking wait begins is only seen when that wait ends.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict, Unpack

from lightwork.codec import Codec
from lightwork.command.job import COMMAND_TASK
from lightwork.errors import StoreError
from lightwork.events.listeners import E, Listeners
from lightwork.locks.uninterrupted import Uninterrupted
from lightwork.model import DEFAULT_RETENTION, Retention
from lightwork.net.client.address import is_server
from lightwork.net.keys.finding import find_authkey
from lightwork.net.opening import open_store
from lightwork.numeric import parse_size
from lightwork.pool.call.coroutine_function import is_coroutine_function
from lightwork.pool.executor.counts import check_async_calls
from lightwork.pool.open_pool import check_pool_options, count_slots, open_pool
from lightwork.store.contract import Store
from lightwork.tasks.task import Task
from lightwork.work.acks import Ends
from lightwork.work.catalog import Catalog
from lightwork.work.incarnation import WorkerSettings
from lightwork.work.middleware.around import Middleware, check_middleware
from lightwork.work.served.settled_heap import settled_heap
from lightwork.work.stopping import PATIENCE
from lightwork.work.worker import WorkerLoop

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from lightwork.pool.link.output_reader import Listener

# SIGHUP: the terminal was closed, or the machine of the person at it is gone.
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# A turn of the loop that takes longer hangs: no store waits for so long by itself.
STUCK_SECONDS: Final = 120.0
_LOOKS: Final = 8
# Among the numbers of signals in the pipe: the loop has ended.
_ENDED: Final = 0
# A pipe's whole content: a storm of signals must not be read one by one.
_READ_SIZE: Final = 1 << 16


class WorkerStuck(StoreError):  # noqa: N818 - as WorkerLost
    """A call of the store hangs, again and again: what the process is to be ended for."""

    __module__ = "lightwork"


class PoolKeywords(TypedDict, total=False):
    """What a worker's pool may be told; see Worker."""

    max_calls: int
    max_memory: int | str
    async_calls: int
    output: "Listener | Literal['show'] | None"
    memory_errors: bool


class Worker:
    """Claims and runs jobs of a store until it is stopped.

    Args:
        store: URL of the store, or of a server that offers one; or an open one (which stays open).
        executor: Where calls run: "processes", "processes:8", "threads:8", "inline".
        queues: Names of the queues to claim from: the first that has jobs comes first. Or their
            weights, by name: `{"critical": 5, "default": 1}` gives each queue its share.
        tasks: Tasks that jobs may name.
        modules: Modules to import, whose tasks jobs may name.
        allow: Modules whose plain functions jobs may name too, and those of modules below them
            that they import.
        authkey: Verifies and signs pickles, and proves to a server who this is; 16 bytes or more;
            default: LIGHTWORK_AUTHKEY.
        name: How people call this worker; default: host and pid.
        lease: Seconds without a heartbeat after which others take its jobs over.
        grace: Seconds that running jobs are given to finish when it stops.
        burst: End when nothing is ready and nothing runs.
        keep: How long finished jobs stay in the store, for all of them in seconds, or by state;
            of several workers the one that keeps least decides.
        allow_commands: Run programs, too: jobs of lw.Command.
        middleware: Functions of attempt and task that return a context manager, in which each
            attempt runs, in its child; the first is outermost. They see what the task raises, and
            fail the attempt by what they raise themselves.
        imported: Jobs may also name tasks of modules that this program has imported.
        on_ending: Called in the worker's thread with ends before they are recorded, each with
            the exception itself if there is one; costs a pickle for each failed attempt.
        on_recorded: Called in the worker's thread, which it must not hold up, with the ends
            that the store accepted.
        on_failed: Called there with what ended it, if anything did.
        listeners: Told of what happens here, as those of `on` are.
        pool_options: Any of these:

            max_calls: Replace a child after so many jobs; 0: never.
            max_memory: Replace a child after the job that left it with more: bytes, or "512M".
            async_calls: Run only coroutine functions, so many at a time, on the event loops of
                the pool's children or threads; 0: run all tasks, one on each.
            output: Called with each OutputLine that children write, or "show"; see
                ProcessExecutor.
            memory_errors: Beyond its `max_memory` a task gets MemoryError, its child lives on.

    Raises:
        UsageError: An argument makes no sense, or a module cannot be imported.
        StoreError: The store cannot be used.
    """

    __module__ = "lightwork"

    # Until it has.
    _has_ended = False
    _thread: threading.Thread | None = None
    _watching: threading.Thread | None = None
    # For good: its thread never comes back.
    _is_hung = False
    _error: BaseException | None = None
    # Tells whoever waits in `run`.
    _tell_ended: Callable[[], object] = staticmethod(lambda: None)

    def __init__(
        self,
        store: str | Store,
        *,
        executor: str = "processes",
        queues: Iterable[str] | Mapping[str, float] = ("default",),
        tasks: Iterable[Task[..., Any]] = (),
        modules: Iterable[str] = (),
        allow: Iterable[str] = (),
        authkey: bytes = b"",
        name: str = "",
        lease: float = 15.0,
        grace: float = 25.0,
        burst: bool = False,
        keep: Retention | float = DEFAULT_RETENTION,
        allow_commands: bool = False,
        middleware: Iterable[Middleware] = (),
        imported: bool = False,
        on_ending: Callable[[Ends], None] | None = None,
        on_recorded: Callable[[Ends], None] = lambda _: None,
        on_failed: Callable[[BaseException], None] = lambda _: None,
        listeners: Listeners | None = None,
        **pool_options: Unpack[PoolKeywords],
    ) -> None:
        settings = _settings(
            queues, middleware, name=name, lease=lease, grace=grace, burst=burst, keep=keep
        )
        self.slots = (calls := pool_options.get("async_calls", 0)) or count_slots(executor)
        make_pool = partial(open_pool, executor, **_pool_options(executor, pool_options))
        known = [*tasks, *[COMMAND_TASK] * allow_commands]
        why = partial(_why_not, only_async=calls > 0, has_database=_is_database(store))
        self.catalog = Catalog(known, modules=modules, allow=allow, imported=imported, why_not=why)
        codec = Codec(authkey=find_authkey(authkey))
        self.store, self._is_own_store = _opened(store, codec.authkey)
        self._is_ready, self._listeners = threading.Event(), listeners or Listeners()
        self._is_told = threading.Event()  # It is to end, or has.
        self._make_loop = partial(
            WorkerLoop,
            *(self.store, make_pool),
            slots=self.slots,
            catalog=self.catalog,
            codec=codec.up_to(self.store.largest_value),
            settings=settings,
            on_ready=self._is_ready.set,
            on_ending=on_ending,
            on_recorded=on_recorded,
            listeners=self._listeners,
        )
        self._loop, self._stuck = self._make_loop(), max(STUCK_SECONDS, 2 * settings.lease)
        self.queues, self._on_failed = settings.queues, on_failed

    def run(self, *, ends_program: bool = False) -> None:
        """Work until stopped; in the main thread, signals stop it gracefully.

        Those are SIGTERM, Ctrl-C and SIGHUP (unless it was ignored, as `nohup` does). The
        first lets running jobs finish for the grace period, the second stops at
        once. Either way unfinished jobs are handed back.

        Args:
            ends_program: Nothing else follows, so signals that come later are ignored:
                they can only spoil the exit status of a program that has obeyed.

        Raises:
            StoreError: The store cannot be used any more.
            PoolError: Its pool cannot run calls.
        """
        with _signal_pipe(ignored_later=ends_program) as (events, tell), settled_heap():
            self._tell_ended = lambda: tell(_ENDED)
            # Not until it is at work: its store may be away, and signals are to be obeyed.
            self._start_threads()
            # The pipe only wakes: in a storm of signals it is full, and a word may be lost.
            while not self._has_ended:
                for number in os.read(events, _READ_SIZE):
                    if number in _SIGNALS:
                        self.stop()
            self._join_thread()
        self.join()

    def on(self, event: type[E], fn: Callable[[E], object]) -> Callable[[], None]:
        """Call a function with each event of a kind that happens in this worker.

        In the worker's thread, which it must not hold up. What it raises is logged, once.

        Args:
            event: A class of events, such as `lightwork.Failed`; those below it are heard too.
            fn: Called with each of them.

        Returns:
            What ends that.
        """
        return self._listeners.add(event, fn)

    def start(self) -> None:
        """Work in a thread of this program; returns when it is at work, or has failed."""
        self._start_threads()
        # Python 3.12 lets nobody start a thread once the program is ending, which
        # may be at once: so all that the worker needs run by now.
        self._is_ready.wait()

    def _start_threads(self) -> None:
        # Else `wait` could take it for one that never started.
        self._is_over = threading.Event()
        with Uninterrupted():
            self._thread = self._make_thread()
            self._thread.start()
            self._watching = threading.Thread(
                target=self._watch, name="lightwork-watch", daemon=True
            )
            self._watching.start()

    def warm(self) -> None:
        """Start every child of its pool; return when all are ready."""
        self._loop.warm()

    def stop(self) -> None:
        """Ask it to stop gracefully; the second time, at once. Returns without waiting."""
        # First: a loop that is made just now is told by whoever makes it.
        self._is_told.set()
        self._loop.stop()

    def join(self) -> None:
        """Return when it has stopped; raise what ended it."""
        self.wait()
        if self._error is not None:
            raise self._error

    def wait(self) -> None:
        """Return when it has stopped, whatever ended it."""
        # Not in its own thread: a callback of a future may shut the executor down.
        self._join_thread()
        if self._is_own_store and not self._is_hung:
            self.store.close()

    def _join_thread(self) -> None:
        started = [thread for thread in (self._thread, self._watching) if thread is not None]
        if not started or threading.current_thread() in started:
            return
        # Not for the thread itself: one that hangs may be given up while it is waited for.
        self._is_over.wait()
        for thread in (self._thread, self._watching):
            # One that hangs for good is not waited for: whoever can ends the process.
            if thread is not None and not self._is_hung:
                thread.join()

    def _make_thread(self) -> threading.Thread:
        return threading.Thread(target=self._run_loop, args=(self._loop,), name="lightwork-worker")

    def _run_loop(self, loop: WorkerLoop) -> None:
        error: BaseException | None = None
        try:
            loop.run()
        except BaseException as raised:
            error = raised
        # One that was given up and comes back has nothing to say any more.
        if loop is self._loop:
            self._end(error)

    def _end(self, error: BaseException | None) -> None:
        try:
            if error is not None:
                self._error = error
                self._on_failed(error)
        finally:
            self._is_ready.set()
            # First: if the word does not fit, whoever reads what is there looks here after.
            self._has_ended = True
            self._is_over.set()
            self._is_told.set()
            self._tell_ended()

    def _watch(self) -> None:
        """Give a loop up that hangs, and run another; the second time, end.

        Its lease is renewed by threads of its own: without this it would live on for ever, hold
        its jobs and do nothing.
        """
        restarts = looks = 0
        loop, turns = self._loop, -1
        # Counted in looks, not in seconds: of a process that was stopped the loop is late, too.
        while not self._is_told.wait(self._stuck / _LOOKS) and not loop.is_ending:
            is_stuck = loop.turns == turns and self._is_ready.is_set()
            turns, looks = loop.turns, looks + 1 if is_stuck else 0
            if looks < _LOOKS:
                continue
            log.error("worker_stuck seconds=%.0f restarts=%d", self._stuck, restarts)
            # First: what it says from now on is not heard.
            self._loop = self._make_loop()
            loop.abandon()
            if self._is_told.is_set():
                self._loop.stop()
            if restarts:
                self._end_hung("hung twice")
                return
            self._thread = self._make_thread()
            self._thread.start()
            loop, turns, looks, restarts = self._loop, -1, 0, 1
        self._watch_end(loop)

    def _watch_end(self, loop: WorkerLoop) -> None:
        """Let a store that says nothing hold up the end no longer than PATIENCE, once for all its calls."""
        looks, turns = 0, -1
        while not self._is_over.wait(PATIENCE / _LOOKS):
            turns, looks = loop.turns, looks + 1 if loop.turns == turns else 0
            if looks == _LOOKS:
                log.warning("store_silent seconds=%.0f", PATIENCE)
                self.store.hurry()
            # What is ending has to do with more than its store.
            if looks * PATIENCE > self._stuck * _LOOKS and not loop.is_ending:
                loop.abandon()
                self._end_hung("was to end, and hung")
                return

    def _end_hung(self, how: str) -> None:
        self._is_hung = True
        text = f"the worker's loop {how} for {self._stuck:.0f} s, in a call of its store"
        self._end(WorkerStuck(f"{text}; look at the database, and start the worker anew"))


def _opened(store: str | Store, authkey: bytes) -> tuple[Store, bool]:
    """Return the store, and whether it was opened here."""
    if isinstance(store, str):
        return open_store(store, authkey=authkey), True
    return store, False


def _why_not(task: Task[..., Any], *, only_async: bool, has_database: bool) -> str:
    """Return why a worker cannot run jobs of a task, "" if it can."""
    if only_async and not is_coroutine_function(task):
        return "it is no coroutine function, and only these run here."
    if task.transaction and not has_database:
        return (
            "its jobs are parts of transactions of the store's database, and here is only a server."
        )
    return ""


def _is_database(store: str | Store) -> bool:
    return not is_server(store if isinstance(store, str) else store.url)


def _settings(
    queues: Iterable[str], middleware: Iterable[Middleware], **options: Any
) -> WorkerSettings:
    weights = queues if isinstance(queues, Mapping) else {}
    return WorkerSettings(
        queues=tuple(queues), weights=weights, middleware=check_middleware(middleware), **options
    )


def _pool_options(executor: str, said: PoolKeywords) -> dict[str, Any]:
    """Return the options of the pool that the words name.

    Raises:
        UsageError: It has not all of them, or one makes no sense.
    """
    places, calls = count_slots(executor), said.get("async_calls", 0)
    options: dict[str, Any] = {
        "max_tasks_per_child": said.get("max_calls", 0),
        "max_memory_per_child": parse_size(said.get("max_memory") or 0),
        # Of all children together there may be a few more than were asked for.
        "async_calls": -(-check_async_calls(calls) // places) if calls else 0,
        "output": said.get("output"),
        "memory_errors": said.get("memory_errors"),
    }
    given = {name: value for name, value in options.items() if value}
    check_pool_options(executor, given)
    return given


@contextmanager
def _signal_pipe(*, ignored_later: bool) -> Iterator[tuple[int, Callable[[int], object]]]:
    """Yield a descriptor that delivers the numbers of signals, and a way to add one."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    # The interpreter must never block in there; 64 KiB of unread signals may be lost.
    os.set_blocking(writing, False)
    with ExitStack() as undo:
        undo.callback(os.close, reading)
        undo.callback(os.close, writing)
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                before = signal.getsignal(number)
                if number == signal.SIGHUP and before is signal.SIG_IGN:
                    continue
                # A function would do for later too, but the interpreter takes it away,
                # and the default back, some time before the process is gone.
                later = signal.SIG_IGN if ignored_later else before
                undo.callback(signal.signal, number, later)
                signal.signal(number, lambda *_: None)
            before_fd = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
            undo.callback(signal.set_wakeup_fd, before_fd)
        yield reading, partial(_write_if_there_is_room, writing)


def _write_if_there_is_room(pipe: int, number: int) -> None:
    with suppress(BlockingIOError):
        os.write(pipe, bytes([number]))
