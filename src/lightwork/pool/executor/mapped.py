"""Mapped: how `map` and `starmap` of every executor begin: options checked, a progress display.

Apart from executor.py because all that a map needs takes 10 ms to import.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, TypeVar

from lightwork.pool.executor.progress_bar import count_items, show_progress, show_progress_async
from lightwork.pool.map.inputs import Inputs, take_calls, take_inputs
from lightwork.pool.map.options import MapKeywords, MapOptions, check_names, without_progress
from lightwork.pool.map.results import Results

T = TypeVar("T")

_TAKE: Final = {"map": take_inputs, "starmap": take_calls}


def mapped(
    executor: Any,  # An Executor: its file imports this one.
    method: str,
    fn: Callable[..., Any],
    sources: tuple[Iterable[Any], ...],
    *,
    errors: Literal["raise", "return"],
    keywords: MapKeywords,
) -> Results[Any]:
    """Start a map; return its results, with a progress display if that was asked for.

    Raises:
        TypeError: A keyword is no option.
        UsageError: An option has a value that makes no sense.
    """
    check_names(method, keywords)
    options = _options(executor, errors, keywords)
    total, inputs = _taken(method, sources, options, keywords)
    results = executor._start_map(fn, inputs, options)
    return _shown(results, fn, total) if keywords.get("progress") else results


async def mapped_async(
    executor: Any,  # As above.
    fn: Callable[..., Any],
    sources: tuple[Iterable[Any], ...],
    *,
    errors: Literal["raise", "return"],
    keywords: MapKeywords,
) -> Results[Any]:
    """Do the same, where starting a map may take longer than an event loop may stand still."""
    check_names("map_async", keywords)
    options = _options(executor, errors, keywords)
    total, inputs = _taken("map", sources, options, keywords)
    results = await executor._start_map_async(fn, inputs, options)
    return _shown(results, fn, total) if keywords.get("progress") else results


def _taken(
    method: str, sources: tuple[Iterable[Any], ...], options: MapOptions, keywords: MapKeywords
) -> tuple[int, Inputs]:
    # Counted first: the map takes from what is an iterator.
    total = count_items(sources) if keywords.get("progress") else 0
    return total, _TAKE[method](sources, is_lazy=options.buffersize is not None)


def _options(
    executor: Any, errors: Literal["raise", "return"], keywords: MapKeywords
) -> MapOptions:
    options = without_progress(keywords)
    if not executor._maps_ahead and options.get("chunksize", "auto") == "auto":
        options["chunksize"] = 1
    return MapOptions(
        errors=errors,
        slots=executor._max_workers,
        async_slots=executor._async_slots,
        bundles=executor.has_bundles,
        maps_ahead=executor._maps_ahead,
        **options,
    )


def _shown(results: Results[T], fn: Callable[..., T], total: int) -> Results[T]:
    """Return the results of a map over so many items (0: not known) with a progress display."""
    title = getattr(fn, "__name__", type(fn).__name__)
    displayed = show_progress(results, total, title=title)

    def close() -> None:
        displayed.close()
        results.close()

    return Results(
        displayed,
        close,
        lambda: show_progress_async(results.arriving(), total, title=title),
        results.name,
    )
