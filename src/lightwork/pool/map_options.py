"""Map options: how a map is run, said once for every executor, and checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from lightwork.errors import UsageError
from lightwork.model import Progress
from lightwork.numeric import as_int, as_number


class MapKeywords(TypedDict, total=False):
    """What `map` and `starmap` take besides `progress`; see Executor.map for the meanings."""

    timeout: float | None
    chunksize: int | Literal["auto"]
    buffersize: int | None
    ordered: bool
    errors: Literal["raise", "return"]
    kwargs: Mapping[str, Any] | None
    on_progress: Callable[[Progress], object] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOptions:
    """How a map is run; see `Executor.map` for the meanings.

    `slots` is how many calls the executor runs at once; 0 means one per CPU. So many
    calls of a coroutine function are `async_slots`. `bundles` says whether it knows bundles,
    `maps_ahead` whether it gains by running items before their results are asked for.

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
    kwargs: Mapping[str, Any] | None = None
    on_progress: Callable[[Progress], object] | None = None

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

    def _take_count(self, name: str, expected: str) -> None:
        value = getattr(self, name)
        number = as_int(value)
        if number is None or number < 1:
            raise UsageError(f"{name} must be {expected}; seen: {value!r}")
        object.__setattr__(self, name, number)
