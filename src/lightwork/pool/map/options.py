"""Options: how a map is run, said once for every executor, and checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, cast

from lightwork.errors import UsageError
from lightwork.model import Progress
from lightwork.numeric import as_int, as_number

WhenFailed = Literal["return", "retry"]


class _KeptKeywords(TypedDict, total=False):
    timeout: float | None
    chunksize: int | Literal["auto"]
    buffersize: int | None
    ordered: bool
    kwargs: Mapping[str, Any] | None
    on_progress: Callable[[Progress], object] | None
    key: str | None
    failed: WhenFailed


class MapKeywords(_KeptKeywords, total=False):
    """What `map` and `starmap` take besides `errors`; see Executor.map for the meanings."""

    progress: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOptions:
    """How a map is run; see `Executor.map` for the meanings.

    `slots` is how many calls the executor runs at once; 0 means one per CPU. So many
    calls of a coroutine function are `async_slots`. `bundles` says whether it knows bundles,
    `maps_ahead` whether it gains by running items before their results are asked for. `at_once`: who
    reads results wants them when all are there, and is not woken before.

    Raises:
        UsageError: An option has a value that makes no sense.
    """

    timeout: float | None = None
    chunksize: int | Literal["auto"] = "auto"
    buffersize: int | None = None
    ordered: bool = True
    errors: Literal["raise", "return"] = "raise"
    slots: int = 0
    async_slots: int = 1
    bundles: bool = False
    maps_ahead: bool = True
    at_once: bool = False
    kwargs: Mapping[str, Any] | None = None
    on_progress: Callable[[Progress], object] | None = None
    key: str | None = None
    failed: WhenFailed = "return"

    def __post_init__(self) -> None:
        if self.chunksize != "auto":
            self._take_count("chunksize", 'an integer of at least 1 or "auto"')
        if self.buffersize is not None:
            self._take_count("buffersize", "an integer of at least 1 or None")
        if self.errors not in {"raise", "return"}:
            raise UsageError(f'errors must be "raise" or "return"; seen: {self.errors!r}')
        if self.timeout is not None and as_number(self.timeout) is None:
            raise UsageError(f"timeout must be seconds or None; seen: {self.timeout!r}")
        if not isinstance(self.kwargs, Mapping | None):
            raise UsageError(f"kwargs must be a dict of arguments; seen: {self.kwargs!r}")
        check_failed(self.failed, self.key)

    def _take_count(self, name: str, expected: str) -> None:
        value = getattr(self, name)
        number = as_int(value)
        if number is None or number < 1:
            raise UsageError(f"{name} must be {expected}; seen: {value!r}")
        object.__setattr__(self, name, number)


def check_failed(failed: str, key: str | None) -> None:
    """Raise unless `failed=` has a meaning.

    Raises:
        UsageError: It is another word, or without a key no job can have failed before.
    """
    if failed not in {"return", "retry"}:
        raise UsageError(f'failed must be "return" or "retry"; seen: {failed!r}')
    if failed == "retry" and key is None:
        raise UsageError('failed="retry" runs again what failed under a key; give the same key=')


def without_progress(keywords: MapKeywords) -> _KeptKeywords:
    """Return a copy of what MapOptions takes: how results are shown is not its business."""
    options = keywords.copy()
    options.pop("progress", None)
    return cast("_KeptKeywords", options)


def check_names(method: str, options: Mapping[str, Any]) -> None:
    """Raise unless these are options of a map.

    Raises:
        TypeError: One is not, in the words of Python.
    """
    known = MapKeywords.__annotations__.keys()
    if unknown := sorted(options.keys() - known):
        raise TypeError(
            f"{method}() got an unexpected keyword argument {unknown[0]!r}; "
            f"expected errors, {', '.join(known)}"
        )
