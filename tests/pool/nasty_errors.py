"""Exceptions that refuse what is usually done to exceptions, and calls that raise them.

Importable by children. What each does on purpose stands in its docstring; none of it may cost
more than the call that raised it.
"""

import sys
from dataclasses import dataclass
from typing import Any, Final, NoReturn


@dataclass(frozen=True)
class Frozen(Exception):  # noqa: N818
    """Refuses to have an attribute set, its own fields included when it is loaded."""

    code: int = 1


class ReadOnlyCause(Exception):  # noqa: N818
    """Has no place for a cause."""

    @property
    def __cause__(self) -> None:  # type: ignore[override]
        return None


class RaisingCause(Exception):  # noqa: N818
    """Raises when it is asked for its cause."""

    @property
    def __cause__(self) -> NoReturn:  # type: ignore[override]
        raise RuntimeError("no cause for you")


class RefusesAttributes(Exception):  # noqa: N818
    """Raises when an attribute is set."""

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise RuntimeError(f"no {name} for you")


class ExitsOnAttributes(Exception):  # noqa: N818
    """Wants the program to end when an attribute is set."""

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise SystemExit(3)


class IsFalse(Exception):  # noqa: N818
    """Its truth is false."""

    def __bool__(self) -> bool:
        return False


class IsEmpty(Exception):  # noqa: N818
    """Has a length, which is 0."""

    def __len__(self) -> int:
        return 0


class RaisingTruth(Exception):  # noqa: N818
    """Raises when asked whether it is true."""

    def __bool__(self) -> NoReturn:
        raise RuntimeError("neither")


class ExitingTruth(Exception):  # noqa: N818
    """Wants the program to end when asked whether it is true."""

    def __bool__(self) -> NoReturn:
        raise SystemExit(3)


class RaisingClass(Exception):  # noqa: N818
    """Raises when asked for its class, which isinstance may do."""

    @property  # type: ignore[misc]
    def __class__(self) -> NoReturn:  # type: ignore[override]
        raise RuntimeError("no class")


class RaisingText(Exception):  # noqa: N818
    """Has no text."""

    def __str__(self) -> NoReturn:
        raise SystemExit(3)

    __repr__ = __str__


class RaisingNotes(Exception):  # noqa: N818
    """Takes no notes."""

    def add_note(self, note: str) -> NoReturn:
        raise SystemExit(3)


class NoEquality(Exception):  # noqa: N818
    """Equals nothing and has no hash."""

    def __eq__(self, other: object) -> NoReturn:
        raise RuntimeError("not comparable")

    __hash__ = None  # type: ignore[assignment]


class OddModule(Exception):  # noqa: N818
    """Its class does not say where it is from."""


OddModule.__module__ = None  # type: ignore[assignment]


class OwnConstructor(Exception):  # noqa: N818
    """Its constructor takes other arguments than it hands on."""

    def __init__(self, code: int, *, reason: str) -> None:
        super().__init__(f"{reason} ({code})")
        self.code = code


class OwnOsError(OSError):
    """The same, and the C code of its base keeps something of its own."""

    def __init__(self, place: str) -> None:
        super().__init__(2, "gone", place)
        self.place = place


class ExitsWhenReduced(Exception):  # noqa: N818
    """Wants the program to end when it is pickled."""

    def __reduce__(self) -> NoReturn:
        raise SystemExit(3)


class ExitsWhenLoaded(Exception):  # noqa: N818
    """Wants the program to end when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.exit, (3,)


class LoadedAsText(Exception):  # noqa: N818
    """Is no exception when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return str, ("no exception",)


CLASSES: Final[dict[str, type[BaseException]]] = {
    kind.__qualname__: kind
    for kind in list(globals().values())
    if isinstance(kind, type) and issubclass(kind, BaseException)
}
# Those whose pickles say something else than they are: only their text leaves a process.
TEXT_ONLY: Final = {"ExitsWhenReduced", "ExitsWhenLoaded", "LoadedAsText"}


def make(name: str) -> BaseException:
    """Return one of them."""
    if name == "OwnConstructor":
        return OwnConstructor(7, reason="odd")
    if name == "OwnOsError":
        return OwnOsError("nowhere")
    return CLASSES[name]()


def fail(name: str) -> NoReturn:
    """Raise one of them."""
    raise make(name)


async def fail_async(name: str) -> NoReturn:
    """Raise one of them in a coroutine."""
    raise make(name)


def double(number: int) -> int:
    return 2 * number


class OddValue:
    """A value that raises whatever it is asked: no error, but as bad company."""

    def __reduce__(self) -> tuple[Any, ...]:
        return OddValue, ()

    @property  # type: ignore[misc]
    def __class__(self) -> NoReturn:  # type: ignore[override]
        raise RuntimeError("no class")

    @property
    def nbytes(self) -> NoReturn:
        raise RuntimeError("no size")

    def _refuse(self, *_: object) -> NoReturn:
        raise RuntimeError("nothing")

    __bool__ = __len__ = __sizeof__ = __eq__ = __repr__ = __str__ = _refuse
    __hash__ = None  # type: ignore[assignment]


def give_back(value: object) -> object:
    """Return what was given."""
    return value


async def give_back_async(value: object) -> object:
    """Return what was given, as a coroutine."""
    return value
