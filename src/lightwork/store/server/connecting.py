"""Connecting: who makes a new connection waits no longer for it than its caller may."""

from contextvars import ContextVar
from typing import Any, Final

from sqlalchemy import Engine, event

from lightwork.clock import monotonic

_NEVER: Final = float("inf")
# When whoever needs a new connection must have it, by the local clock.
connect_until: ContextVar[float] = ContextVar("lightwork_connect_until", default=_NEVER)


def bound_connecting(engine: Engine) -> None:
    """Have each new connection of the engine made in time, or fail."""
    event.listen(engine, "do_connect", _bound)


def _bound(_dialect: Any, _record: Any, _args: Any, parameters: dict[str, Any]) -> None:
    left = connect_until.get() - monotonic()
    if left != _NEVER:
        parameters["connect_timeout"] = max(1, round(left))
