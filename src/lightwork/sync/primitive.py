"""Primitive: what every lock, queue or value of a program is: a place at a host, which pickles as its address."""

import re
import uuid
from math import isnan
from threading import TIMEOUT_MAX
from typing import Any, Final, TypeVar

from lightwork.errors import UsageError
from lightwork.machines.shapes import Plain
from lightwork.sync.host import Host, Keeper, Place
from lightwork.sync.opening import open_host

P = TypeVar("P", bound="Primitive")
# A store has room for 200, of which ten are for whose lock it is: "condition/".
_LONGEST_NAME: Final = 190
_NOT_KEPT: Final = re.compile("[\0\ud800-\udfff]")


class Primitive:
    """A lock, a queue, a value: the same thing for all who have its name.

    It can be pickled, and what is loaded is the same one: its class, name and place travel, and never a password or key.
    Whoever loads it opens the place as it is written: with the host that this process has open there, or the
    key and password of its own environment. One of `where="threads"` is known in its program alone, and
    cannot be pickled.

    Attributes:
        name: What it is found by, at most 190 characters; of one without a name, chance.
        where: "threads", "processes", or the URL of the store or server, without its password.
    """

    # As users know them; the standard library's tests of `repr` want it, too.
    __module__ = "lightwork"

    _host: Host
    _place: Place
    _kept: object

    def _open(self, where: str | Host, kind: str, name: str, spec: tuple[Plain, ...] = ()) -> None:
        check_name(name)
        place = Place(kind, name or uuid.uuid4().hex, spec)
        self._attach(open_host(where), place, is_named=bool(name))

    def _attach(self, host: Host, place: Place, *, is_named: bool) -> None:
        self._host, self._place, self._is_named = host, place, is_named
        self._kept = host.keep(place, is_named=is_named) if isinstance(host, Keeper) else None

    @property
    def name(self) -> str:
        """What it is found by."""
        return self._place.name

    @property
    def where(self) -> str:
        """What opens its host."""
        return self._host.where

    def __getstate__(self) -> dict[str, Any]:
        if self._host.where == "threads":
            raise TypeError(
                f"a {type(self).__name__} of where='threads' is known in its program alone and cannot be "
                "pickled; make it with where='processes', or with the URL of a store or server"
            )
        return {"place": self._place, "where": self._host.where, "is_named": self._is_named}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._attach(open_host(state["where"]), state["place"], is_named=state["is_named"])

    def _shown(self, text: str) -> str:
        name = f" {self._place.name!r}" if self._is_named else ""
        return f"<lightwork.{type(self).__name__} at {id(self):#x}{name}: {text}>"


def check_name(name: str) -> None:
    """Refuse, at every reach, what cannot be a name at all of them.

    Raises:
        UsageError: It is too long for a store, or has what no database keeps: a NUL, or half of a surrogate pair.
    """
    if not isinstance(name, str):
        raise TypeError(f"a name is text, not {type(name).__name__}")
    if len(name) > _LONGEST_NAME or _NOT_KEPT.search(name):
        raise UsageError(
            f"a name is text of at most {_LONGEST_NAME} characters without NUL and surrogates; seen: "
            f"{len(name)} characters, {name!a:.100}"
        )


def time_limit(timeout: float | None) -> float | None:
    """Return a time-out as hosts know it, in seconds: what is negative is over; the one place that looks at it.

    Raises:
        TypeError: It is no number.
        ValueError: It is no number either: NaN.
        OverflowError: It is more than `threading.TIMEOUT_MAX`.
    """
    if timeout is None:
        return None
    if not isinstance(timeout, (int, float)):
        raise TypeError(f"a timeout is a number of seconds or None, not {type(timeout).__name__}")
    if isnan(timeout):
        raise ValueError("timeout value is not a number (NaN)")
    if timeout > TIMEOUT_MAX:
        raise OverflowError(f"timeout value is too large; expected at most {TIMEOUT_MAX:g} s")
    return max(float(timeout), 0.0)
