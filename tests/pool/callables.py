"""Callables that are no plain functions, importable by children."""

import functools
import time
from collections.abc import Callable
from typing import Any, Final


class Dispatcher:
    """As some C extensions make theirs: found by its name, and without weak references."""

    __slots__ = ()

    def __getattr__(self, name: str) -> str:
        if name == "__qualname__":
            return "dispatcher"
        raise AttributeError(name)

    def __reduce__(self) -> str:
        return "dispatcher"

    def __call__(self, number: int) -> int:
        return number + 1


dispatcher: Final = Dispatcher()


class Adder:
    """Carries a number, has no weak references and no hash."""

    __slots__ = ("number",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return True

    def __call__(self, number: int) -> int:
        return self.number + number


@functools.lru_cache
def cached(number: int) -> int:
    return number + 1


CALLABLES: Final[dict[str, Callable[..., Any]]] = {
    "by name, without weak references": dispatcher,
    "without weak references and hash": Adder(1),
    "method of a built-in class": int.__add__,
    "bound method of a built-in object": (1).__add__,
    "partial": functools.partial(int.__add__, 1),
    "cached": cached,
    "bound method": Adder(1).__call__,
}


class AskedForItsSize:
    """Raises what is no Exception when anybody asks it anything."""

    def __getattr__(self, name: str) -> object:
        if name in {"nbytes", "shape", "itemsize"}:
            raise GeneratorExit(name)
        raise AttributeError(name)

    def __sizeof__(self) -> int:
        raise SystemExit("size")


def make_asked(number: int) -> AskedForItsSize:
    """Return one, some time later than a map was started."""
    time.sleep(0.001 * (number % 2))
    return AskedForItsSize()


class FailsAsItem:
    """An item of a map, one of which raises something when it is pickled."""

    def __init__(self, number: int, kind: type[BaseException] | None = None) -> None:
        self.number = number
        self.kind = kind

    def __reduce__(self) -> tuple[Any, ...]:
        if self.kind is not None:
            raise self.kind(f"item {self.number}")
        return FailsAsItem, (self.number,)


def number_of(item: FailsAsItem) -> int:
    """Return the item's number."""
    return item.number
