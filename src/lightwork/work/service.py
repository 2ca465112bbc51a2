"""Service: a worker as a program runs it: opens the store, obeys signals, says how it ends.

The loop itself (worker.py) runs in a thread of its own and the main thread only
reads signals from a pipe, into which the interpreter itself writes them. Two
simpler ways fail once in a thousand times: a function for a signal that sets an
event can deadlock with the wait that it interrupts, and a signal that comes just
before a blocking wait begins is only seen when that wait ends.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any, Final

from lightwork.codec import Codec
from lightwork.pool.choose import count_slots, open_pool
from lightwork.store.contract import Store
from lightwork.store.sqlstore import open_store
from lightwork.tasks import Task
from lightwork.uninterrupted import Uninterrupted
from lightwork.work.catalog import Catalog
from lightwork.work.keys import find_authkey
from lightwork.work.settings import WorkerSettings
from lightwork.work.worker import Ends, WorkerLoop

# SIGHUP: the terminal was closed, or the machine of the person at it is gone.
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# Among the numbers of signals in the pipe: the loop has ended.
_ENDED: Final = 0
# A pipe's whole content: a storm of signals must not be read one by one.
_READ_SIZE: Final = 1 << 16


class Worker:
    """Claims and runs jobs of a store until it is stopped.

    Args:
        store: URL of the store, or an open one (which stays open).
        executor: Where calls run: "processes", "processes:8", "threads:8", "inline".
        queues: Names of the queues to claim from, in this order.
        tasks: Tasks that jobs may name.
        modules: Modules to import, whose tasks jobs may name.
        allow: Modules whose plain functions jobs may name too, and those of modules below them
            that they import.
        authkey: Verifies and signs pickles, 16 bytes or more; default: LIGHTWORK_AUTHKEY.
        name: How people call this worker; default: host and pid.
        lease: Seconds without a heartbeat after which others take its jobs over.
        grace: Seconds that running jobs are given to finish when it stops.
        burst: End when nothing is ready and nothing runs.
        max_calls: Replace a child after so many jobs; 0: never.
        imported: Jobs may also name tasks of modules that this program has imported.
        on_ending: Called in the worker's thread with ends before they are recorded, each with
            the exception itself if there is one; costs a pickle for each failed attempt.
        on_recorded: Called in the worker's thread, which it must not hold up, with the ends
            that the store accepted.
        on_failed: Called there with what ended it, if anything did.

    Raises:
        UsageError: An argument makes no sense, or a module cannot be imported.
        StoreError: The store cannot be used.
    """

    def __init__(
        self,
        store: str | Store,
        *,
        executor: str = "processes",
        queues: Iterable[str] = ("default",),
        tasks: Iterable[Task[..., Any]] = (),
        modules: Iterable[str] = (),
        allow: Iterable[str] = (),
        authkey: bytes = b"",
        name: str = "",
        lease: float = 15.0,
        grace: float = 25.0,
        burst: bool = False,
        max_calls: int = 0,
        imported: bool = False,
        on_ending: Callable[[Ends], None] | None = None,
        on_recorded: Callable[[Ends], None] = lambda _: None,
        on_failed: Callable[[BaseException], None] = lambda _: None,
    ) -> None:
        settings = WorkerSettings(
            queues=tuple(queues), name=name, lease=lease, grace=grace, burst=burst
        )
        slots = count_slots(executor)
        options = {"max_tasks_per_child": max_calls} if max_calls else {}
        codec = Codec(authkey=find_authkey(authkey))
        self.catalog = Catalog(tasks, modules=modules, allow=allow, imported=imported)
        self.store = open_store(store) if isinstance(store, str) else store
        self._is_own_store = isinstance(store, str)
        self._is_ready = threading.Event()
        self._loop = WorkerLoop(
            self.store,
            lambda: open_pool(executor, **options),
            slots=slots,
            catalog=self.catalog,
            codec=codec,
            settings=settings,
            on_ready=self._is_ready.set,
            on_ending=on_ending,
            on_recorded=on_recorded,
        )
        self.queues = settings.queues
        self._on_failed = on_failed
        self._error: BaseException | None = None
        self._has_ended = False
        self._tell_ended: Callable[[], object] = lambda: None
        self._thread = threading.Thread(target=self._run_loop, name="lightwork-worker")

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
        with _signal_pipe(ignored_later=ends_program) as (events, tell):
            self._tell_ended = lambda: tell(_ENDED)
            self.start()
            # The pipe only wakes: in a storm of signals it is full, and a word may be lost.
            while not self._has_ended:
                for number in os.read(events, _READ_SIZE):
                    if number in _SIGNALS:
                        self._loop.stop()
            self._thread.join()
        self.join()

    def start(self) -> None:
        """Work in a thread of this program; returns when it is at work, or has failed."""
        # Else `wait` could take it for one that never started.
        with Uninterrupted():
            self._thread.start()
        # Python 3.12 lets nobody start a thread once the program is ending, which
        # may be at once: so all that the worker needs run by now.
        self._is_ready.wait()

    def warm(self) -> None:
        """Start every child of its pool; return when all are ready."""
        self._loop.warm()

    def stop(self) -> None:
        """Ask it to stop gracefully; the second time, at once. Returns without waiting."""
        self._loop.stop()

    def join(self) -> None:
        """Return when it has stopped; raise what ended it."""
        self.wait()
        if self._error is not None:
            raise self._error

    def wait(self) -> None:
        """Return when it has stopped, whatever ended it."""
        # Not in its own thread: a callback of a future may shut the executor down.
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join()
        if self._is_own_store:
            self.store.close()

    def _run_loop(self) -> None:
        try:
            self._loop.run()
        except BaseException as error:
            self._error = error
            self._on_failed(error)
        finally:
            self._is_ready.set()
            # First: if the word does not fit, whoever reads what is there looks here after.
            self._has_ended = True
            self._tell_ended()


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
