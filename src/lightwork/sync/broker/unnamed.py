"""Unnamed: primitives that end with those who use them, for nobody else could find them.

A session says which it has. When nobody has one any more it may still be on its way: in the arguments of a process
that starts, in a queue. So it is kept for a while.
"""

from collections.abc import Iterable, Iterator
from typing import Final

# Seconds: as long as a busy machine takes to start a process that loads what was sent to it.
GRACE: Final = 30.0

Name = tuple[str, str]


class Unnamed:
    """Who has which, by kind and name."""

    def __init__(self) -> None:
        self._users: dict[Name, set[bytes]] = {}
        self._forgotten_at: dict[Name, float] = {}

    def __contains__(self, name: Name) -> bool:
        return name in self._users

    def keep(self, session: bytes, names: Iterable[Name]) -> None:
        """Note that a session has them."""
        for name in names:
            self._users.setdefault(name, set()).add(session)
            self._forgotten_at.pop(name, None)

    def drop(self, session: bytes, names: Iterable[Name], now: float) -> None:
        """Note that a session has them no longer."""
        for name in names:
            users = self._users.get(name)
            if users is not None and session in users:
                users.discard(session)
                if not users:
                    self._forgotten_at[name] = now + GRACE

    def leave(self, session: bytes, now: float) -> None:
        """Note that a session is lost."""
        self.drop(session, [*self._users], now)

    def forgotten(self, now: float) -> Iterator[Name]:
        """Take out those that nobody has had for a while."""
        # In the order of their times, as all are given the same.
        while self._forgotten_at:
            name, due = next(iter(self._forgotten_at.items()))
            if due > now:
                return
            del self._forgotten_at[name], self._users[name]
            yield name
