"""Executor: what every pool of this package offers, whatever runs the calls.

A real subclass of `concurrent.futures.Executor`. A pool implements `start_call`
and `shutdown`; submit, map and the context managers are written once, here.
"""

import abc
import asyncio
from collections.abc import Callable, Coroutine, Iterable
from concurrent import futures
from typing import Any, Literal, ParamSpec, Self, TypeVar, Unpack, overload

from lightwork.errors import UsageError
from lightwork.numeric import as_int
from lightwork.pool.call import CallOptions, call_options
from lightwork.pool.future import Future
from lightwork.pool.map_options import MapKeywords, MapOptions, check_names, without_progress
from lightwork.pool.mapping import map_calls, starmap_calls
from lightwork.pool.open_maps import OpenMaps
from lightwork.pool.ref import Ref
from lightwork.pool.results import Results
from lightwork.pool.show import count_items, show_progress, show_progress_async

P = ParamSpec("P")
T = TypeVar("T")


def shown(results: Results[T], fn: Callable[..., T], total: int) -> Results[T]:
    """Return the results of a map over so many items (0: not known) with a progress display."""
    title = getattr(fn, "__name__", type(fn).__name__)
    displayed = show_progress(results, total, title=title)
    return Results(
        displayed,
        displayed.close,
        lambda: show_progress_async(results.arriving(), total, title=title),
        results.name,
    )


def check_max_workers(max_workers: int | None, default: Callable[[], int]) -> int:
    """Return the number of children or threads, by default what `default` says.

    Raises:
        UsageError: It is no such number.
    """
    number = default() if max_workers is None else as_int(max_workers)
    if number is None:
        raise UsageError(f"max_workers must be an integer; seen: {max_workers!r}")
    if number <= 0:
        raise UsageError(f"max_workers must be greater than 0; seen: {max_workers!r}")
    return number


def check_async_calls(count: object) -> int:
    """Return how many coroutine calls a loop may run at a time.

    Raises:
        UsageError: It is no such number.
    """
    number = as_int(count)
    if number is None or number < 1:
        raise UsageError(f"async_calls must be an integer of at least 1; seen: {count!r}")
    return number


class Executor(futures.Executor, abc.ABC):
    """Runs calls; see `concurrent.futures.Executor` for the shared meaning."""

    # How many calls run at once, which map must know; 0: one per CPU. The name
    # is that of the standard library's executors.
    _max_workers: int = 0
    # How many coroutine calls run at once.
    _async_slots: int = 1
    # Whether map gains by running items before their results are asked for.
    _maps_ahead: bool = True
    # Whether items of a map may travel in bundles.
    _has_bundles: bool = False
    # Those that this executor must not leave behind; made for the first.
    _open_maps: OpenMaps | None = None

    @abc.abstractmethod
    def start_call(
        self,
        fn: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: CallOptions,
    ) -> Future[T]:
        """Take one call with explicit options; used by submit, map and workers."""

    async def start_call_async(
        self,
        fn: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: CallOptions,
    ) -> Future[T]:
        """Do the same without holding up the event loop; here nothing ever waits."""
        return self.start_call(fn, args, kwargs, options)

    def put(self, value: T) -> Ref[T]:
        """Pin an object for many calls: pass the reference, and call its `get` inside of `fn`.

        Processes get the object as it is now, once per child, and must not change it.

        Raises:
            RuntimeError: The executor was shut down.
        """
        return Ref(value)

    @overload
    def submit(
        self, fn: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]: ...

    @overload
    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]: ...

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run `fn(*args, **kwargs)` and return its future; a coroutine function is awaited.

        Raises:
            RuntimeError: The executor was shut down.
            UsageError: `fn` cannot be called; an async generator function has no result.
        """
        if self._open_maps is not None:
            self._open_maps.check_open()
        return self.start_call(fn, args, kwargs, call_options(fn, "submit"))

    @overload
    async def submit_async(
        self, fn: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]: ...

    @overload
    async def submit_async(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]: ...

    async def submit_async(
        self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        """Submit without holding up the event loop, at every reach; see `submit`."""
        if self._open_maps is not None:
            self._open_maps.check_open()
        return await self.start_call_async(fn, args, kwargs, call_options(fn, "submit"))

    @overload
    def map(
        self,
        fn: Callable[..., Coroutine[Any, Any, T]],
        *iterables: Iterable[Any],
        errors: Literal["return"],
        **options: Unpack[MapKeywords],
    ) -> Results[T | BaseException]: ...

    @overload
    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        errors: Literal["return"],
        **options: Unpack[MapKeywords],
    ) -> Results[T | BaseException]: ...

    @overload
    def map(
        self,
        fn: Callable[..., Coroutine[Any, Any, T]],
        *iterables: Iterable[Any],
        errors: Literal["raise"] = "raise",
        **options: Unpack[MapKeywords],
    ) -> Results[T]: ...

    @overload
    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        errors: Literal["raise"] = "raise",
        **options: Unpack[MapKeywords],
    ) -> Results[T]: ...

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        errors: Literal["raise", "return"] = "raise",
        **options: Unpack[MapKeywords],
    ) -> Results[Any]:
        """Call `fn` with items taken from the iterables in parallel.

        What has a length is copied at the call and runs whole, whether its results are
        read or not, as in the standard library; they can be read after the executor's
        end. What has none (a generator, perhaps endless) and what has a `buffersize` is
        taken as results are read, in the thread that reads them: leaving the `with` block
        before anybody has read any raises UsageError. Closing results, or dropping them
        half-read (`break`), cancels what has not begun.

        The results are for `for` or, without blocking the event loop, for `async for`.

        On a durable executor each item is a job. When this returns, every job of an input
        that has a length is kept, unless there is a `buffersize`. With a `key` the jobs stay
        when the results are left, and an interrupted program can be started again: what has
        an outcome comes from the store, only the rest is run. So many writes may
        hold up an event loop: `results = await asyncio.to_thread(executor.map, fn, items)`.

        Args:
            fn: Called once per item; a coroutine function is awaited, each item by itself.
            iterables: Zipped; may be endless. `itertools.repeat` and `count` leave a map whole.
            errors: "return" yields the exception of a failed item in its place.
            options: Any of these:

                timeout: Seconds after this call at which waiting raises TimeoutError.
                chunksize: Items per call; "auto" adapts to their duration. A child that dies
                    costs all items of its call; with 1, and with "auto" where items take longer
                    than 20 us, it costs only the item that ran. No effect on jobs.
                buffersize: Upper bound of items taken but not yet yielded, where inputs or
                    results are large; None: automatic.
                ordered: False yields results as they come.
                progress: Show on standard error how many results there are: a bar on a
                    terminal, else a line now and then.
                kwargs: Keyword arguments that every call gets.
                on_progress: Called with what each item reports by `current().progress`, which
                    names the item; in whatever thread hears of it. Items then run one per call.
                key: The same key, task and arguments mean the same job, in every run. Without
                    effect where jobs are not kept.
                failed: "retry": jobs of the key that have failed before run again; "return":
                    a failure is an outcome.

        Raises:
            UsageError: An option has a value that makes no sense.
            RuntimeError: The executor was shut down.
        """
        check_names("map", options)
        made = self._map_options(errors, options)
        # Counted first: the map takes from what is an iterator.
        total = count_items(iterables) if options.get("progress") else 0
        results = self._map_items(fn, iterables, made)
        return shown(results, fn, total) if options.get("progress") else results

    @overload
    def starmap(
        self,
        fn: Callable[..., Coroutine[Any, Any, T]],
        calls: Iterable[Iterable[Any]],
        *,
        errors: Literal["return"],
        **options: Unpack[MapKeywords],
    ) -> Results[T | BaseException]: ...

    @overload
    def starmap(
        self,
        fn: Callable[..., T],
        calls: Iterable[Iterable[Any]],
        *,
        errors: Literal["return"],
        **options: Unpack[MapKeywords],
    ) -> Results[T | BaseException]: ...

    @overload
    def starmap(
        self,
        fn: Callable[..., Coroutine[Any, Any, T]],
        calls: Iterable[Iterable[Any]],
        *,
        errors: Literal["raise"] = "raise",
        **options: Unpack[MapKeywords],
    ) -> Results[T]: ...

    @overload
    def starmap(
        self,
        fn: Callable[..., T],
        calls: Iterable[Iterable[Any]],
        *,
        errors: Literal["raise"] = "raise",
        **options: Unpack[MapKeywords],
    ) -> Results[T]: ...

    def starmap(
        self,
        fn: Callable[..., Any],
        calls: Iterable[Iterable[Any]],
        *,
        errors: Literal["raise", "return"] = "raise",
        **options: Unpack[MapKeywords],
    ) -> Results[Any]:
        """Call `fn(*arguments)` for the arguments of each call; otherwise like `map`.

        Args:
            fn: Called once for each.
            calls: Tuples of arguments; may be infinite like those of `map`.
            errors: As for `map`.
            options: The other options of `map`.
        """
        check_names("starmap", options)
        made = self._map_options(errors, options)
        total = count_items((calls,)) if options.get("progress") else 0
        results = self._map_calls(fn, calls, made)
        return shown(results, fn, total) if options.get("progress") else results

    def _map_items(
        self, fn: Callable[..., Any], iterables: tuple[Iterable[Any], ...], options: MapOptions
    ) -> Results[Any]:
        return map_calls(self.start_call, fn, iterables, options, self._maps())

    def _map_calls(
        self, fn: Callable[..., Any], calls: Iterable[Iterable[Any]], options: MapOptions
    ) -> Results[Any]:
        return starmap_calls(self.start_call, fn, calls, options, self._maps())

    def _map_options(self, errors: Literal["raise", "return"], keywords: MapKeywords) -> MapOptions:
        options = without_progress(keywords)
        if not self._maps_ahead and options.get("chunksize", "auto") == "auto":
            options["chunksize"] = 1
        return MapOptions(
            errors=errors,
            slots=self._max_workers,
            async_slots=self._async_slots,
            bundles=self._has_bundles,
            maps_ahead=self._maps_ahead,
            **options,
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} max_workers={self._max_workers}>"

    def _maps(self) -> OpenMaps:
        """Return the maps of this executor that are not all run.

        Raises:
            RuntimeError: It was shut down.
        """
        # One operation: two threads may map for the first time at once.
        maps: OpenMaps = self.__dict__.setdefault("_open_maps", OpenMaps())
        maps.check_open()
        return maps

    def _is_ended_later(self, *, wait: bool, cancel_futures: bool) -> bool:
        """Let maps that run whole start all their calls before this executor ends.

        Args:
            wait: Return when they have.
            cancel_futures: They shall not.

        Returns:
            True: the last of them calls shutdown.
        """
        maps = self._open_maps
        if maps is None or not maps.defer(lambda: self.shutdown(wait=False), cancel=cancel_futures):
            return False
        if wait:
            maps.wait()
        return not wait

    def start(self) -> None:
        """Start every thread or child now, and return when all are ready; idempotent.

        Raises:
            RuntimeError: The executor was shut down, or its initializer failed.
        """

    def begin(self) -> None:
        """Start now what the first call would start here, but for children; idempotent."""

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        self.shutdown(wait=True)
        self._check_read(kind)

    def _check_read(self, kind: type[BaseException] | None) -> None:
        """Raise if a part of what was mapped never ran, unless there is an error already.

        Raises:
            UsageError: Nobody has read the results of a lazy map.
        """
        if kind is None and self._open_maps is not None:
            self._open_maps.check_read()

    def kill_workers(self) -> None:
        """Cancel what waits and end what runs as fast as this kind of pool can."""
        self.shutdown(wait=False, cancel_futures=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        # Waiting for running calls must not block the event loop.
        await asyncio.to_thread(self.__exit__, kind, error, trace)  # type: ignore[arg-type]
