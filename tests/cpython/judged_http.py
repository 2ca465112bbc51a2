"""A DurableExecutor on a server, as the standard library's tests make executors: each on a store of its own."""

import itertools
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from lightwork.durable.executor import DurableExecutor
from lightwork.net.keys.keyring import Keyring
from lightwork.net.server.app import App
from lightwork.net.server.gate import KeyGate
from lightwork.pool.executor.at_exit import come_first
from lightwork.pool.executor.counts import check_max_workers
from lightwork.store.sqlstore import SqlStore
from lightwork.tasks.task import task
from net.served import served

# What the suite submits is plain functions with values of any kind: pickles, which are signed.
_AUTHKEY = b"of the judge, and of nobody else"
_USUAL = 5


@task
def called(fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """A store keeps jobs of tasks, and the suite submits functions: this task calls them."""
    return fn(*args, **kwargs)


class JudgedHttpExecutor(DurableExecutor):
    """DurableExecutor with the arguments of the standard library's, and a server that ends with it."""

    def __init__(self, max_workers: int | None = None, mp_context: object = None) -> None:
        del mp_context
        check_max_workers(max_workers, lambda: _USUAL)
        self._servers = ExitStack()
        # At the end of a program that never shut it down: after the executor itself, which says so once
        # more, and before the standard library's threads take no more work, of which the server has some.
        threading._register_atexit(self._servers.close)  # type: ignore[attr-defined]
        come_first()
        folder = self._servers.enter_context(tempfile.TemporaryDirectory())
        store = self._servers.enter_context(SqlStore(f"sqlite:///{folder}/work.db"))
        app = App(store, gate=KeyGate(Keyring([_AUTHKEY])))
        url = self._servers.enter_context(served(app))
        super().__init__(url, workers=max_workers or _USUAL, authkey=_AUTHKEY)

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        return super().submit(called, fn, *args, **kwargs)

    def map(self, fn: Any, *iterables: Any, **options: Any) -> Any:
        return super().map(called, itertools.repeat(fn), *iterables, **options)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Shut down, and end the server if nothing is left that would use it."""
        super().shutdown(wait, cancel_futures=cancel_futures)
        if wait:
            self._servers.close()

    @property
    def _broken(self) -> bool:
        return False

    @property
    def max_workers(self) -> Any:
        return _USUAL
