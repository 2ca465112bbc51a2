"""Owned lock: a lock that can tell whether this thread holds it.

Finalizers need to know: the garbage collector may run one in the middle of anything,
also in a thread that has the very lock which it would wait for, and has half-changed
what that guards. It then leaves its work to somebody else.
"""

from _thread import RLock
from collections.abc import Callable
from typing import ClassVar


class OwnedLock(RLock):  # type: ignore[misc]
    """A reentrant lock that answers `is_owned()`."""

    __slots__ = ()

    # In C: it is asked for every call that is submitted.
    is_owned: ClassVar[Callable[["OwnedLock"], bool]] = RLock._is_owned  # type: ignore[attr-defined]
