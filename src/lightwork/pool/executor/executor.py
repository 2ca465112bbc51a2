"""Executor: what every pool of this package offers, whatever runs the calls.

A real subclass of `concurrent.futures.Executor`. A pool implements `start_call`
and `shutdown`; submit, map and the context managers are written once, here.
"""

import abc
from collections.abc import Callable, Coroutine, Iterable
from concurrent import futures
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, Self, TypeVar, overload

from lightwork.callables import NEVER_NESTED, holds
from lightwork.pool.call.future import Future
from lightwork.pool.call.options import CallOptions, call_options
from lightwork.pool.map.open_maps import OpenMaps
from lightwork.pool.wire.ref import Ref

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias, Unpack

    from lightwork.events.listeners import E, Listeners
    from lightwork.pool.map.inputs import Inputs
    from lightwork.pool.map.options import MapKeywords, MapOptions
    from lightwork.pool.map.results import Results

    # What stands for a result among arguments.
    Awaited: TypeAlias = futures.Future[Any] | Sequence[futures.Future[Any]]

P = ParamSpec("P")
T = TypeVar("T")
_KINDS = (Future,)


def _may_wait(args: tuple[Any, ...], kwargs: dict[str, Any], options: CallOptions) -> bool:
    """Return whether a call waits for futures; asked for each, so in the cheapest way."""
    if options.after:
        return True
    if not kwargs and NEVER_NESTED.issuperset(map(type, args)):
        return False
    return holds(args, _KINDS) or holds(kwargs, _KINDS)


class Executor(futures.Executor, abc.ABC):
    """Runs calls; see `concurrent.futures.Executor` for the shared meaning."""

    __module__ = "lightwork"

    # How many calls run at once, which map must know; 0: one per CPU. The name
    # is that of the standard library's executors.
    _max_workers: int = 0
    # How many coroutine calls run at once.
    _async_slots: int = 1
    # Whether map gains by running items before their results are asked for.
    _maps_ahead: bool = True
    # Whether it has to wait itself for futures among arguments; a store does that for jobs.
    _waits_for_futures: bool = True
    # Whether items of a map may travel in bundles.
    has_bundles: bool = False
    # Whether calls have a database in whose transaction they may run.
    _has_transactions: bool = False
    # Those that this executor must not leave behind; made for the first.
    _open_maps: OpenMaps | None = None
    # Who wants to know what becomes of calls; made for the first.
    _listeners: "Listeners | None" = None

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

    # Futures stand for their results, which no ParamSpec can say: in one of the first three places.
    # mypy says that it never comes to these, and does.
    @overload
    def submit(  # type: ignore[overload-cannot-match]
        self, fn: Callable[..., T], first: "Awaited", /, *args: Any, **kwargs: Any
    ) -> Future[T]: ...

    @overload
    def submit(  # type: ignore[overload-cannot-match]
        self, fn: Callable[..., T], first: Any, second: "Awaited", /, *args: Any, **kwargs: Any
    ) -> Future[T]: ...

    @overload
    def submit(  # type: ignore[overload-cannot-match]
        self,
        fn: Callable[..., T],
        first: Any,
        second: Any,
        third: "Awaited",
        /,
        *args: Any,
        **kwargs: Any,
    ) -> Future[T]: ...

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run `fn(*args, **kwargs)` and return its future; a coroutine function is awaited.

        A lightwork future among the arguments, or in lists, tuples and dicts of them (three deep),
        stands for its result: the call waits for it, and holds no thread or child meanwhile. If
        it fails, so does this call, with DependencyFailed; if it is cancelled, so is this. What a
        call waits for without an argument says `fn.options(after=[...])`; for type checkers
        futures may be among the first three arguments.

        Raises:
            RuntimeError: The executor was shut down.
            UsageError: `fn` cannot be called; an async generator function has no result.
        """
        if self._open_maps is not None:
            self._open_maps.check_open()
        options = self._options_of(fn)
        if self._waits_for_futures and _may_wait(args, kwargs, options):
            return self._start_after(fn, args, kwargs, options)
        if self._listeners is not None:
            return self._start_observed(fn, args, kwargs, options)
        return self.start_call(fn, args, kwargs, options)

    def _options_of(self, fn: Callable[..., Any]) -> CallOptions:
        return call_options(fn, "submit", has_transactions=self._has_transactions)

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
        options = self._options_of(fn)
        if self._waits_for_futures and _may_wait(args, kwargs, options):
            return self._start_after(fn, args, kwargs, options)
        if self._listeners is not None:
            return self._start_observed(fn, args, kwargs, options)
        return await self.start_call_async(fn, args, kwargs, options)

    def on(self, event: "type[E]", fn: "Callable[[E], object]") -> Callable[[], None]:
        """Call a function with each event of a kind, from now on.

        What it raises is logged, once, and harms nobody. It is called in the threads that notice
        events, like callbacks of futures: while it works they do not. Of calls that are submitted:
        Submitted, Started, Progressed, Retried, Lost, Succeeded, Failed, Quarantined, Cancelled; not of
        items of a map. Of a durable executor see DurableExecutor.on.

        Args:
            event: A class of events, such as `lightwork.Failed`; those below it are heard too.
            fn: Called with each of them.

        Returns:
            What ends that.

        Raises:
            UsageError: There are no such events, or the function cannot be called.
        """
        # 10 ms to import, and most programs never listen.
        from lightwork.events.listeners import Listeners  # noqa: PLC0415 - see above

        # One operation: two threads may listen for the first time at once.
        listeners: Listeners = self.__dict__.setdefault("_listeners", Listeners())
        return listeners.add(event, fn)

    def _start_observed(
        self,
        fn: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: CallOptions,
    ) -> Future[T]:
        from lightwork.pool.executor.observed import start_observed  # noqa: PLC0415 - as above

        assert self._listeners is not None
        return start_observed(self.start_call, self._listeners, fn, (args, kwargs), options)

    def _start_after(
        self,
        fn: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: CallOptions,
    ) -> Future[T]:
        """Take a call that waits for futures."""
        # Most programs have no such calls.
        from lightwork.pool.executor.dependent import Dependent  # noqa: PLC0415 - see above

        # Who listens hears of it when it starts.
        start = self.start_call if self._listeners is None else self._start_observed
        return Dependent(start, self._maps(), (fn, args, kwargs), options).wait()

    @overload
    def map(
        self,
        fn: Callable[..., Coroutine[Any, Any, T]],
        *iterables: Iterable[Any],
        errors: Literal["return"],
        **options: "Unpack[MapKeywords]",
    ) -> "Results[T | BaseException]": ...

    @overload
    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        errors: Literal["return"],
        **options: "Unpack[MapKeywords]",
    ) -> "Results[T | BaseException]": ...

    @overload
    def map(
        self,
        fn: Callable[..., Coroutine[Any, Any, T]],
        *iterables: Iterable[Any],
        errors: Literal["raise"] = "raise",
        **options: "Unpack[MapKeywords]",
    ) -> "Results[T]": ...

    @overload
    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        errors: Literal["raise"] = "raise",
        **options: "Unpack[MapKeywords]",
    ) -> "Results[T]": ...

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        errors: Literal["raise", "return"] = "raise",
        **options: "Unpack[MapKeywords]",
    ) -> "Results[Any]":
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
        hold up an event loop: `results = await executor.map_async(fn, items)`.

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
        # 10 ms to import, as below, and many programs never map.
        from lightwork.pool.executor.mapped import mapped  # noqa: PLC0415 - see above

        return mapped(self, "map", fn, iterables, errors=errors, keywords=options)

    async def map_async(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        errors: Literal["raise", "return"] = "raise",
        **options: "Unpack[MapKeywords]",
    ) -> "Results[Any]":
        """Map without holding up the event loop, at every reach; see `map`.

            async for result in await executor.map_async(fn, items): ...

        The first items of an input without a length may be taken in another thread.
        """
        from lightwork.pool.executor.mapped import mapped_async  # noqa: PLC0415 - as above

        return await mapped_async(self, fn, iterables, errors=errors, keywords=options)

    @overload
    def starmap(
        self,
        fn: Callable[..., Coroutine[Any, Any, T]],
        calls: Iterable[Iterable[Any]],
        *,
        errors: Literal["return"],
        **options: "Unpack[MapKeywords]",
    ) -> "Results[T | BaseException]": ...

    @overload
    def starmap(
        self,
        fn: Callable[..., T],
        calls: Iterable[Iterable[Any]],
        *,
        errors: Literal["return"],
        **options: "Unpack[MapKeywords]",
    ) -> "Results[T | BaseException]": ...

    @overload
    def starmap(
        self,
        fn: Callable[..., Coroutine[Any, Any, T]],
        calls: Iterable[Iterable[Any]],
        *,
        errors: Literal["raise"] = "raise",
        **options: "Unpack[MapKeywords]",
    ) -> "Results[T]": ...

    @overload
    def starmap(
        self,
        fn: Callable[..., T],
        calls: Iterable[Iterable[Any]],
        *,
        errors: Literal["raise"] = "raise",
        **options: "Unpack[MapKeywords]",
    ) -> "Results[T]": ...

    def starmap(
        self,
        fn: Callable[..., Any],
        calls: Iterable[Iterable[Any]],
        *,
        errors: Literal["raise", "return"] = "raise",
        **options: "Unpack[MapKeywords]",
    ) -> "Results[Any]":
        """Call `fn(*arguments)` for the arguments of each call; otherwise like `map`.

        Args:
            fn: Called once for each.
            calls: Tuples of arguments; may be infinite like those of `map`.
            errors: As for `map`.
            options: The other options of `map`.
        """
        from lightwork.pool.executor.mapped import mapped  # noqa: PLC0415 - as above

        return mapped(self, "starmap", fn, (calls,), errors=errors, keywords=options)

    def _start_map(
        self, fn: Callable[..., Any], inputs: "Inputs", options: "MapOptions"
    ) -> "Results[Any]":
        from lightwork.pool.map.mapping import map_calls  # noqa: PLC0415 - as above

        return map_calls(self.start_call, fn, inputs, options, self._maps())

    async def _start_map_async(
        self, fn: Callable[..., Any], inputs: "Inputs", options: "MapOptions"
    ) -> "Results[Any]":
        return self._start_map(fn, inputs, options)

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

    def lend(self, places: int) -> None:
        """Run so many calls more at a time than at first, for as many that only wait."""

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
        # 50 ms to import, which whoever awaits has paid already.
        import asyncio  # noqa: PLC0415 - see above

        # Waiting for running calls must not block the event loop.
        await asyncio.to_thread(self.__exit__, kind, error, trace)  # type: ignore[arg-type]
