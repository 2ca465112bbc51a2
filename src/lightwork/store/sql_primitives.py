"""SQL primitives: the locks, queues and shared values of a store; see contracts/primitives.py.

A table of contents, as sqlstore.py is. Of what changes nothing for those who wait nobody is woken.
"""

import uuid
from collections.abc import Callable
from typing import Concatenate, ParamSpec

from sqlalchemy import Connection

from lightwork.store.contracts.primitives import PrimitiveView, Reply, Request, SessionInfo
from lightwork.store.primitives import asking, keeping, sessions
from lightwork.store.primitives.asking import Done
from lightwork.store.primitives.kinds import READING_VERBS, check_size, primitive_id
from lightwork.store.sql_transactions import SqlTransactions

P = ParamSpec("P")


class SqlPrimitives(SqlTransactions):
    """The part of contract.Store that keeps primitives."""

    def open_session(self, session: SessionInfo, *, lease: float) -> None:
        """Begin a session with a lease of so many seconds."""
        self._write_quietly(sessions.begin, session, lease)

    def renew_session(self, session_id: uuid.UUID, *, lease: float) -> bool:
        """Extend a lease that has not run out."""
        return self._write_quietly(sessions.renew, session_id, lease)

    def end_session(self, session_id: uuid.UUID) -> None:
        """End a session: what it holds passes on at once."""
        # Place by place: who locked several would wait for one who waits for it.
        for place in self._write_quietly(sessions.end, session_id):
            self._telling(sessions.lose, self._spelling, session_id, place)
        self._write_quietly(sessions.forget_callers, session_id)

    def open_primitive(
        self, kind: str, name: str, spec: bytes, *, is_named: bool = True
    ) -> uuid.UUID:
        """Make a primitive where there is none; return its id."""
        if not self._read(keeping.is_there, kind, name, spec):
            check_size(spec, self.database.largest_value, "was given")
            self._write_quietly(keeping.make, self._spelling, kind, name, spec, is_named=is_named)
        return primitive_id(kind, name)

    def ask_primitive(self, request: Request, verb: str, args: bytes) -> Reply:
        """Ask; the answer now, or that it waits."""
        seen = self._read(asking.look, request, verb, args) if verb in READING_VERBS else None
        if seen is not None:
            return seen
        return self._told(
            self._write_quietly(
                asking.ask,
                self._spelling,
                request,
                (verb, args),
                largest=self.database.largest_value,
            )
        )

    def collect_reply(self, request: Request) -> Reply:
        """Return what has become of a request."""
        reply, has_lost = self._look(asking.see, request)
        if not has_lost or reply.outcome != "waits":
            return reply
        # Perhaps for somebody who is lost, and whom nobody else comes by to find.
        self._telling(asking.settle, self._spelling, request.primitive)
        return self._look(asking.see, request)[0]

    def withdraw_request(self, request: Request) -> Reply:
        """Let a request wait no longer; its answer, if it was given before that."""
        return self._told(self._write_quietly(asking.withdraw, self._spelling, request))

    def primitives(
        self, *, kind: str | None = None, name: str | None = None, limit: int = 1000
    ) -> list[PrimitiveView]:
        """Return the primitives that there are, by kind and name."""
        return self._read(keeping.views, kind, name, limit)

    def break_lock(self, name: str) -> bool:
        """Take a lock from its holder and hand it to the next."""
        return self._write(keeping.break_lock, self._spelling, name)

    def remove_primitive(self, kind: str, name: str) -> bool:
        """Forget a primitive with all that it holds."""
        return self._write(keeping.remove, kind, name)

    def prune_primitives(self, *, limit: int = 100) -> int:
        """End lost sessions, and forget unnamed primitives that nobody uses."""
        # Looks first, as for a rescue.
        ended = 0
        if self._read(sessions.is_one_over):
            ended = self._write_quietly(sessions.end_over, limit)
        for place in self._read(sessions.lost_places, limit):
            self._telling(asking.settle, self._spelling, place)
        unused = self._read(keeping.unused, limit)
        return ended + sum(self._write_quietly(keeping.remove_unused, one) for one in unused)

    def _telling(
        self,
        operation: Callable[Concatenate[Connection, P], bool],
        *values: P.args,
        **options: P.kwargs,
    ) -> None:
        """Write, and wake those who wait if any is answered."""
        if self._write_quietly(operation, *values, **options):
            self.database.note_commit()

    def _told(self, done: Done) -> Reply:
        if done.are_others_answered:
            self.database.note_commit()
        return done.reply
