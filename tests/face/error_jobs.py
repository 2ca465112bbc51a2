"""Tasks that fail with exceptions of their own, importable by children and workers."""

from typing import Final, NoReturn

import lightwork as lw


class OwnConstructor(Exception):  # noqa: N818
    """Its constructor takes other arguments than it hands on."""

    def __init__(self, code: int, *, reason: str) -> None:
        super().__init__(f"{reason} ({code})")
        self.code = code


class RefusesAttributes(Exception):  # noqa: N818
    """Raises when an attribute is set."""

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise SystemExit(3)


class ExitingTruth(Exception):  # noqa: N818
    """Wants the program to end when asked whether it is true."""

    def __bool__(self) -> NoReturn:
        raise SystemExit(3)


class ExitingText(Exception):  # noqa: N818
    """Has no text."""

    def __str__(self) -> NoReturn:
        raise SystemExit(3)

    __repr__ = __str__


class RaisingCause(Exception):  # noqa: N818
    """Raises when asked for its class or its cause."""

    @property
    def __cause__(self) -> NoReturn:  # type: ignore[override]
        raise RuntimeError("no cause for you")

    @property  # type: ignore[misc]
    def __class__(self) -> NoReturn:  # type: ignore[override]
        raise RuntimeError("no class")


NASTY: Final = (RefusesAttributes, ExitingTruth, ExitingText, RaisingCause)


@lw.task
def fail_oddly(code: int) -> NoReturn:
    raise OwnConstructor(code, reason="odd")


@lw.task(retries=1, backoff=0.0)
def fail_nastily(position: int) -> NoReturn:
    raise NASTY[position]


@lw.task(retries=1, backoff=0.0)
async def fail_nastily_async(position: int) -> NoReturn:
    raise NASTY[position]


@lw.task
def answer(number: int) -> int:
    return number
