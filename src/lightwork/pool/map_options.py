"""Map options: how a map is run, said once for every executor, and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from lightwork.errors import UsageError


class MapKeywords(TypedDict, total=False):
    """What `map` and `starmap` take besides `progress`; see Executor.map for the meanings."""

    timeout: float | None
    chunksize: int | Literal["auto"]
    buffersize: int | None
    ordered: bool
    errors: Literal["raise", "return"]
    kwargs: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOptions:
    """How a map is run; see `Executor.map` for the meanings.

    `slots` is how many calls the executor runs at once; 0 means one per CPU. So many
    calls of a coroutine function are `async_slots`. `bundles` says whether it knows bundles.

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
    kwargs: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.chunksize != "auto":
            _check_count("chunksize", self.chunksize, 'an integer of at least 1 or "auto"')
        if self.buffersize is not None:
            _check_count("buffersize", self.buffersize, "an integer of at least 1 or None")
        if self.errors not in {"raise", "return"}:
            raise UsageError(f'errors must be "raise" or "return"; seen: {self.errors!r}')
        if self.timeout is not None and not isinstance(self.timeout, int | float):
            raise UsageError(f"timeout must be seconds or None; seen: {self.timeout!r}")
        if not isinstance(self.kwargs, Mapping | None):
            raise UsageError(f"kwargs must be a dict of arguments; seen: {self.kwargs!r}")


def _check_count(name: str, value: object, expected: str) -> None:
    if type(value) is not int or value < 1:
        raise UsageError(f"{name} must be {expected}; seen: {value!r}")
