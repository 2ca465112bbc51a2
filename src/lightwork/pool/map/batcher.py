"""Batcher: the ways in which the items of a map go to an executor.

    single   one item, one call
    chunk    many items, one call: 0.1 us per item, but what a death costs is all of them
    bundle   many items that travel as one call and are run one by one (bundle.py): 1 us
             per item, and a death costs one; only executors with children have it
    trial    in between, for plain items that nobody has measured yet (trial.py)

An item that cannot travel in a bundle goes as a single call instead.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

from lightwork.model import Progress
from lightwork.pool.call.future import Future
from lightwork.pool.call.options import CallOptions, Split
from lightwork.pool.map.bundle import (
    FAILED,
    GROUP,
    Apart,
    Outcome,
    pack_items,
    run_bundle,
    run_star_bundle,
)
from lightwork.pool.map.chunk import (
    ChunkOutcome,
    ItemFailure,
    PackedFailure,
    run_chunk,
    run_star_chunk,
)
from lightwork.pool.map.lost_items import each_lost
from lightwork.pool.map.trial import pack_trial, run_star_trial, run_trial
from lightwork.pool.wire.load_exception import unpack_exception
from lightwork.pool.wire.pickling import load, load_apart

StartCall: TypeAlias = Callable[
    [Callable[..., Any], tuple[Any, ...], dict[str, Any], CallOptions], Future[Any]
]
_OUTCOMES: Final = (ChunkOutcome, Outcome)
# Of where a result ends, without what it is.
_END: Final = ~(FAILED | GROUP)
# What every item gave, and by position the exceptions of those that failed.
Opened: TypeAlias = tuple[list[Any], dict[int, BaseException]]


class Started(NamedTuple):
    """A call that runs the first `size` of the items; `open` opens its result."""

    future: Future[Any]
    size: int
    open: Callable[[Any], Opened]


class Batcher:
    """Starts calls for the items of one map.

    Items are tuples of arguments (`is_star`) or the only argument; `kwargs` are the same for all.
    """

    def __init__(
        self,
        start_call: StartCall,
        fn: Callable[..., Any],
        policy: CallOptions,
        *,
        is_star: bool,
        kwargs: dict[str, Any],
    ) -> None:
        self._start_call = start_call
        self._fn = fn
        self._policy = policy
        self._is_star = is_star
        self._kwargs = kwargs
        self.has_retries = policy.retries is not None
        bound = partial(fn, **kwargs) if kwargs else fn
        # One object for all: a pool of processes sends it once per child.
        self._chunk_fn = partial(run_star_chunk if is_star else run_chunk, bound)
        self._bundle_fn = partial(run_star_bundle if is_star else run_bundle, bound)
        self._trial_fn = partial(run_star_trial if is_star else run_trial, bound)

    def close(self) -> None:
        """Let go of the executor: all is started, and results must not keep it alive."""
        self._start_call = _refuse

    def single(self, items: Sequence[Any], position: int) -> Started:
        """Start the first item, which has this position in the input."""
        args = items[0] if self._is_star else (items[0],)
        policy = self._policy
        if policy.on_progress is not None:
            heard = partial(tell_of_item, policy.on_progress, position)
            policy = policy._replace(on_progress=heard)
        return Started(self._start_call(self._fn, args, self._kwargs, policy), 1, _open_single)

    def chunk(self, items: Sequence[Any]) -> Started:
        """Start all items as one call."""
        future = self._start_call(self._chunk_fn, (items,), {}, self._policy)
        return Started(future, len(items), _open_chunk)

    def bundle(self, items: Sequence[Any], on_split: Callable[[Split], None]) -> Started:
        """Start the first items, as many as can go in a bundle."""
        parcel, size = pack_items(items)
        if size == 0:
            # Where anybody listens there are no bundles: its position does not matter.
            return self.single(items, 0)
        options = self._policy._replace(items=size, on_split=on_split)
        future = self._start_call(self._bundle_fn, (parcel,), {}, options)
        return Started(future, size, open_outcome)

    def trial(self, items: Sequence[Any], on_split: Callable[[Split], None]) -> Started | None:
        """Start all items as a trial; None: they do not travel so."""
        data = pack_trial(items)
        if not data:
            return None
        options = self._policy._replace(items=len(items), on_split=on_split)
        future = self._start_call(self._trial_fn, (data,), {}, options)
        return Started(future, len(items), open_outcome)


def tell_of_item(
    on_progress: Callable[[Progress], object], position: int, progress: Progress
) -> None:
    """Tell a listener of a map which item has reported."""
    on_progress(replace(progress, item=position))


def seconds_of(result: object) -> float:
    """Return how long the items ran that gave this result; 0.0 when not known."""
    # Its type: a value of the user may claim any class, or raise when asked for it.
    return result.seconds if type(result) in _OUTCOMES else 0.0  # type: ignore[attr-defined]


def unpack_failure(failure: ItemFailure | PackedFailure) -> BaseException:
    """Return the exception of an item; one from a child has its traceback as cause."""
    if isinstance(failure, ItemFailure):
        return failure.error
    return unpack_exception(failure.data)


def sample_of(result: ChunkOutcome | Outcome) -> Sequence[object]:
    """Return some of the results, in whatever form, as large as they are."""
    if isinstance(result, ChunkOutcome):
        return result.results
    first = result.results.ends_as_numbers()[:1]
    large = ([one.data, *one.buffers] for one in result.last if isinstance(one, Apart))
    return [*(result.results.data[: end & _END] for end in first), *large]


def _refuse(*_: object) -> Future[Any]:
    raise RuntimeError("all items of this map have been started")


def _open_single(result: Any) -> Opened:
    return [result], {}


def _open_chunk(outcome: ChunkOutcome) -> Opened:
    return outcome.results, {at: unpack_failure(one) for at, one in outcome.failures.items()}


def open_outcome(outcome: Outcome) -> tuple[list[Any], dict[int, BaseException]]:
    """Return what each item gave, and by position those that failed, with None in their places."""
    values: list[Any] = []
    failures: dict[int, BaseException] = {}
    start, data = 0, outcome.results.data
    for flagged in outcome.results.ends_as_numbers():
        end = flagged & _END
        if flagged & FAILED:
            failures[len(values)] = unpack_exception(data[start:end])
            values.append(None)
        elif flagged & GROUP:
            # Plain values: nothing of them can fail.
            values += load(data[start:end])
        else:
            try:
                values.append(load(data[start:end]))
            except BaseException as error:
                # Raised when its result is loaded here: its own, like what it raises.
                failures[len(values)] = error
                values.append(None)
        start = end
    for last in outcome.last:
        value, failure = _opened(last)
        if failure is not None:
            failures[len(values)] = failure
        values.append(value)
    for failure in _at_end(outcome):
        failures[len(values)] = failure
        values.append(None)
    return values, failures


def _opened(last: Apart | ItemFailure | PackedFailure) -> tuple[Any, BaseException | None]:
    if not isinstance(last, Apart):
        return None, unpack_failure(last)
    try:
        return load_apart([last.data, *last.buffers]), None
    except BaseException as error:
        return None, error


def _at_end(outcome: Outcome) -> list[BaseException]:
    """Return the exceptions of the last items, which have no result."""
    if outcome.last_error:
        return [unpack_exception(outcome.last_error)]
    if outcome.lost is None:
        return []
    count = outcome.lost_items
    return each_lost(outcome.lost, count, f"It had begun {count} short items of a map together")
