"""Peers: one adapter for each side, all with the same five verbs.

An adapter says in `setting` how its side is used: always the fastest way that its manual offers
for the work, with as many children as all others. Where a side has no good default for many tiny
items, `tiny_chunk` is the chunk size that a user would have to know.

The libraries are imported when a side is loaded: none of them is needed by another, and this
module must cost a cold start (first.py) nothing, which is why even `typing` is not imported.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from importlib import import_module

from local.calls import run_chunk

# As in lightwork's own face: true for type checkers only.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any


# Measured: 2 * n_jobs, the default, is a third slower with chunks of one; "all" is eighty times
# slower with automatic ones.
PRE_DISPATCH = 4096


class Side:
    """A pool of so many children, open until `close`; calling the class opens it."""

    # How it is called in tables and on the command line.
    name = ""
    # What must be importable, and whose version is shown; "": the standard library.
    library = ""
    setting = ""
    # False: it has a map only, and its `call` is a map of one item.
    submits = True
    # Slow sides do a part of the work: rates can be compared all the same.
    calls_divisor = 1
    items_divisor = 1
    tiny_chunk: int | None = None
    # For calls of very different durations: one by one, unless a side can tell by itself.
    mixed_chunk: int | None = 1

    @classmethod
    def load(cls) -> None:
        """Import what opening would import."""
        import_module(cls.library)

    def __init__(self, children: int) -> None:
        self.children = children

    def call(self, fn: Callable[[Any], Any], value: Any) -> Any:
        """Run one call and wait for its result."""
        raise NotImplementedError

    def call_large(self, fn: Callable[[Any], Any], value: Any) -> Any:
        """Like `call`, with an argument of many megabytes."""
        return self.call(fn, value)

    def submit_all(self, fn: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """Submit each item as a call of its own, then wait for all results."""
        raise NotImplementedError

    def map(self, fn: Callable[[Any], Any], items: range, chunk: int | None) -> Iterable[Any]:
        """Map; None: the side's own chunk size."""
        raise NotImplementedError

    def close(self) -> None:
        """End the children."""
        raise NotImplementedError


class _Futures(Side):
    """A side whose pool is a `concurrent.futures.Executor`."""

    pool: Any

    def call(self, fn: Callable[[Any], Any], value: Any) -> Any:
        return self.pool.submit(fn, value).result()

    def submit_all(self, fn: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        return [future.result() for future in [self.pool.submit(fn, item) for item in items]]

    def map(self, fn: Callable[[Any], Any], items: range, chunk: int | None) -> Iterable[Any]:
        results: Iterable[Any] = self.pool.map(fn, items, chunksize=chunk or 1)
        return results

    def close(self) -> None:
        self.pool.shutdown()


class Lightwork(_Futures):
    name = "lightwork"
    library = "lightwork"
    setting = "ProcessExecutor, defaults"
    mixed_chunk = None

    @classmethod
    def load(cls) -> None:
        # The face imports what it names when it is first used.
        from lightwork import ProcessExecutor  # noqa: F401

    def __init__(self, children: int) -> None:
        from lightwork import ProcessExecutor

        super().__init__(children)
        self.pool = ProcessExecutor(children)

    def map(self, fn: Callable[[Any], Any], items: range, chunk: int | None) -> Iterable[Any]:
        results: Iterable[Any] = self.pool.map(fn, items, chunksize=chunk or "auto")
        return results


class Pool(Side):
    # The standard library's, or one with its face.
    pool: Any
    name = "Pool"
    library = "multiprocessing"
    setting = "multiprocessing.Pool, forkserver"

    @classmethod
    def load(cls) -> None:
        # What the first pool imports.
        import_module("multiprocessing.pool")
        import_module("multiprocessing.popen_forkserver")

    def __init__(self, children: int) -> None:
        import multiprocessing

        super().__init__(children)
        self.pool = multiprocessing.get_context("forkserver").Pool(children)

    def call(self, fn: Callable[[Any], Any], value: Any) -> Any:
        return self.pool.apply(fn, (value,))

    def submit_all(self, fn: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        return [call.get() for call in [self.pool.apply_async(fn, (item,)) for item in items]]

    def map(self, fn: Callable[[Any], Any], items: range, chunk: int | None) -> Iterable[Any]:
        results: Iterable[Any] = self.pool.map(fn, items, chunksize=chunk)
        return results

    def close(self) -> None:
        self.pool.terminate()
        self.pool.join()


class OurPool(Pool):
    name = "lw.Pool"
    library = "lightwork"
    setting = "lightwork.multiprocessing.Pool, defaults"
    mixed_chunk = None

    @classmethod
    def load(cls) -> None:
        import_module("lightwork.multiprocessing.pool")

    def __init__(self, children: int) -> None:
        from lightwork import multiprocessing

        self.children = children
        self.pool = multiprocessing.Pool(children)


class PPE(_Futures):
    name = "PPE"
    library = "concurrent.futures.process"
    setting = "concurrent.futures.ProcessPoolExecutor, forkserver; tiny items in chunks of 10,000"
    calls_divisor = 4
    tiny_chunk = 10_000

    @classmethod
    def load(cls) -> None:
        super().load()
        import_module("multiprocessing.popen_forkserver")

    def __init__(self, children: int) -> None:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        super().__init__(children)
        context = multiprocessing.get_context("forkserver")
        self.pool = ProcessPoolExecutor(children, mp_context=context)


class Loky(_Futures):
    name = "loky"
    library = "loky"
    setting = "get_reusable_executor; tiny items in chunks of 10,000"
    calls_divisor = 4
    tiny_chunk = 10_000

    def __init__(self, children: int) -> None:
        from loky import get_reusable_executor

        super().__init__(children)
        # Its children end after 10 idle seconds unless told otherwise.
        self.pool = get_reusable_executor(max_workers=children, timeout=3600)


class Joblib(Side):
    name = "joblib"
    library = "joblib"
    setting = "Parallel, reused, pre_dispatch=4096; it has no submit: a call is a Parallel of one"
    submits = False
    calls_divisor = 4
    items_divisor = 2

    def __init__(self, children: int) -> None:
        from joblib import Parallel, delayed

        super().__init__(children)
        self.stack = contextlib.ExitStack()
        self.pools: dict[int | None, Any] = {
            chunk: self.stack.enter_context(
                Parallel(n_jobs=children, batch_size=chunk or "auto", pre_dispatch=PRE_DISPATCH)
            )
            for chunk in (None, 1)
        }
        self.delayed = delayed

    def call(self, fn: Callable[[Any], Any], value: Any) -> Any:
        return self.pools[1]([self.delayed(fn)(value)])[0]

    def map(self, fn: Callable[[Any], Any], items: range, chunk: int | None) -> Iterable[Any]:
        results: Iterable[Any] = self.pools[chunk](map(self.delayed(fn), items))
        return results

    def close(self) -> None:
        from joblib.externals.loky import get_reusable_executor

        self.stack.close()
        get_reusable_executor().shutdown()


class Mpire(Side):
    name = "mpire"
    library = "mpire"
    setting = "WorkerPool, forkserver, keep_alive"
    calls_divisor = 4
    items_divisor = 5

    def __init__(self, children: int) -> None:
        from mpire import WorkerPool

        super().__init__(children)
        # Two, because a pool that has served apply_async cannot map the same function (2.10.2).
        # Neither has children before its first call.
        self.single, self.mapping = (
            WorkerPool(n_jobs=children, start_method="forkserver", keep_alive=True)
            for _ in range(2)
        )

    def call(self, fn: Callable[[Any], Any], value: Any) -> Any:
        return self.single.apply(fn, (value,))

    def submit_all(self, fn: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        return [call.get() for call in [self.single.apply_async(fn, (item,)) for item in items]]

    def map(self, fn: Callable[[Any], Any], items: range, chunk: int | None) -> Iterable[Any]:
        results: Iterable[Any] = self.mapping.map(fn, items, chunk_size=chunk)
        return results

    def close(self) -> None:
        self.single.terminate()
        self.mapping.terminate()


class Pebble(Side):
    name = "pebble"
    library = "pebble"
    setting = "ProcessPool, forkserver; tiny items in chunks of 10,000"
    calls_divisor = 4
    items_divisor = 5
    tiny_chunk = 10_000

    def __init__(self, children: int) -> None:
        import multiprocessing

        from pebble import ProcessPool

        super().__init__(children)
        context = multiprocessing.get_context("forkserver")
        self.pool = ProcessPool(max_workers=children, context=context)

    def call(self, fn: Callable[[Any], Any], value: Any) -> Any:
        return self.pool.schedule(fn, args=(value,)).result()

    def submit_all(self, fn: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        futures = [self.pool.schedule(fn, args=(item,)) for item in items]
        return [future.result() for future in futures]

    def map(self, fn: Callable[[Any], Any], items: range, chunk: int | None) -> Iterable[Any]:
        results: Iterable[Any] = self.pool.map(fn, items, chunksize=chunk or 1).result()
        return results

    def close(self) -> None:
        self.pool.stop()
        self.pool.join()


class Dask(Side):
    name = "Dask"
    library = "distributed"
    setting = (
        "LocalCluster, processes of one thread, on loopback, no dashboard; pure=False; "
        "tiny items in chunks of 10,000, large arguments scattered"
    )
    calls_divisor = 20
    items_divisor = 10
    tiny_chunk = 10_000

    def __init__(self, children: int) -> None:
        from distributed import Client, LocalCluster

        super().__init__(children)
        self.cluster = LocalCluster(
            n_workers=children,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            # None would listen on port 8787, which may be taken.
            dashboard_address="127.0.0.1:0",
            silence_logs=50,
        )
        self.client = Client(self.cluster)

    def call(self, fn: Callable[[Any], Any], value: Any) -> Any:
        return self.client.submit(fn, value, pure=False).result()

    def call_large(self, fn: Callable[[Any], Any], value: Any) -> Any:
        # hash=False: hashing the value would cost more than sending it.
        return self.call(fn, self.client.scatter(value, hash=False))

    def submit_all(self, fn: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        futures = [self.client.submit(fn, item, pure=False) for item in items]
        results: list[Any] = self.client.gather(futures)
        return results

    def map(self, fn: Callable[[Any], Any], items: range, chunk: int | None) -> Iterable[Any]:
        if chunk == 1:
            results: list[Any] = self.client.gather(self.client.map(fn, items, pure=False))
            return results
        step = chunk or 1
        chunks = [items[first : first + step] for first in range(0, len(items), step)]
        mapped = self.client.map(functools.partial(run_chunk, fn), chunks, pure=False)
        return itertools.chain.from_iterable(self.client.gather(mapped))

    def close(self) -> None:
        self.client.close()
        self.cluster.close()


SIDES: dict[str, type[Side]] = {
    side.name: side for side in (Lightwork, Pool, PPE, OurPool, Loky, Joblib, Mpire, Pebble, Dask)
}
