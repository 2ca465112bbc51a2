"""Host: primitives that live in a store, for all threads of this process.

A question is a request with a number (store/contracts/primitives.py), so it is sent again, as long as the
session is trusted, until the store has answered. What comes back:

    answered    the machine's answer
    waits       until another answers it, the time is up or the session is lost: waiting.py
    gone        there is no such primitive (any more): it is made, and asked anew
    lost        the session has ended: LockLost for what may have held something, else asked anew

A store may be silent: the database is stopped, or somebody has locked the row. Each call to it ends after a minute at the latest, and is made
again as long as the session is trusted; who has set a time hears of it (StoreUnavailable) GRACE seconds after that. What
was asked then is taken back as after an interrupt: line.py.

A session that is lost is followed by a new one at the next use. What was held under the old one is told as lost to each
thread that then wants to give it back. In a forked child all is new: the session is the parent's.
"""

import atexit
import contextlib
import itertools
import os
import threading
import time
import uuid
import weakref
from collections.abc import Callable
from typing import Final, TypeVar

from lightwork.clock import call_by, monotonic
from lightwork.errors import LockLost, StoreError, StoreUnavailable
from lightwork.machines.shapes import Plain
from lightwork.net.opening import open_store
from lightwork.store.contract import Store
from lightwork.store.contracts.primitives import Reply, Request
from lightwork.store.primitives.kinds import packed, primitive_id, unpacked
from lightwork.sync.host import Place, Refusal
from lightwork.sync.stored.line import Asked, Line, Undo
from lightwork.sync.stored.session import LEASE, Session
from lightwork.sync.stored.waiting import wait_for_reply

T = TypeVar("T")

_NEVER: Final = float("inf")
_RETRY_SECONDS: Final = 0.1
# Seconds that a store has for its answer when the time is up; and to hear that a question is taken back.
GRACE: Final = 5.0
_SOON: Final = 1.0
# Seconds of one call: what a database may take for a long transaction.
_LONGEST_CALL: Final = 60.0
# Of those that are known to be there; who asks of more makes sure of them again.
_MOST_MADE: Final = 10_000
# Kinds that give something to a session, verbs by which it gets it, and those that give it back.
_HOLDING: Final = frozenset({"lock", "semaphore", "condition", "barrier", "queue"})
_GETTING: Final = frozenset({"acquire", "try", "enlist", "wait", "get", "try_get"})
_GIVING_BACK: Final = frozenset(
    {
        *(("lock", "release"), ("semaphore", "release")),
        *(("queue", "ack"), ("queue", "nack")),
        *(("condition", "wait"), ("condition", "leave"), ("barrier", "pass")),
    }
)
_hosts: Final["weakref.WeakSet[StoredHost]"] = weakref.WeakSet()


def open_stored(url: str, *, authkey: bytes | None = None, lease: float = LEASE) -> "StoredHost":
    """Open the primitives of a store, and begin a session there.

    Args:
        url: Of a database or a server; see net/opening.py.
        authkey: For a server that asks for one; default: that of the environment, see net/opening.py.
        lease: Seconds after which others get what this process holds if it has not been heard of.

    Raises:
        UsageError: The URL is not that of a store.
        StoreError: It cannot be used; StoreUnavailable: not now.
    """
    host = StoredHost(lambda: open_store(url, authkey=authkey or b""), lease=lease)
    try:
        host.begin()
    except BaseException:
        host.close()
        raise
    return host


class Kept:
    """That something in this process knows an unnamed primitive."""


class StoredHost:
    """See sync/host.py for what each method promises.

    Args:
        open_it: Opens the store; called again in a forked child.
        lease: Of its session, in seconds.
    """

    def __init__(self, open_it: Callable[[], Store], *, lease: float) -> None:
        self._open = open_it
        self._lease = lease
        self._is_closed = False
        self._is_ending = False
        self._store = open_it()
        self._where = self._store.safe_url
        # What a forked child has of its parent's, and lets alone.
        self._inherited: list[object] = []
        # Unnamed ones, as long as anything here knows them.
        self._unnamed: weakref.WeakValueDictionary[Place, Kept] = weakref.WeakValueDictionary()
        self._be_new()
        _hosts.add(self)

    def _be_new(self) -> None:
        """Begin with nothing but the store, in a forked child too."""
        self._is_forked = False
        self._session: Session | None = None
        # Those that were lost.
        self._past: list[Session] = []
        # Held while a session begins, and the store of a forked child is opened: once.
        self._beginning = threading.Lock()
        self._of_thread = threading.local()
        self._free_numbers: list[int] = []
        self._next_number = itertools.count(1)
        self._next_request = itertools.count(1)
        self._made: set[Place] = set()
        # What threads have got under the session, and under a lost one: they may want to give it back.
        self._got: set[tuple[Place, int]] = set()
        self._lost: set[tuple[Place, int]] = set()
        # Of threads that were interrupted.
        self._unsettled: set[Line] = set()

    @property
    def where(self) -> str:
        """The URL of the store, without its password."""
        return self._where

    @property
    def session(self) -> bytes:
        """Of this process; another one after the last was lost."""
        return self._living_session().id.bytes

    def begin(self) -> None:
        """Begin a session, if there is none."""
        self._living_session()

    def ask(
        self,
        place: Place,
        verb: str,
        args: tuple[Plain, ...] = (),
        *,
        timeout: float | None = None,
        undo: Undo | None = None,
    ) -> Plain:
        """Ask, and wait for the answer."""
        deadline = _NEVER if timeout is None else monotonic() + timeout
        line = self._line()
        line.gives_up_at = deadline + GRACE
        asked: list[Asked] = []
        try:
            with line.asking():
                self._call(line, lambda: self._settle(line))
                reply = None
                while reply is None:
                    session = self._call(line, lambda: self._session_for(place, verb, line))
                    primitive = primitive_id(place.kind, place.name)
                    asked.append(Asked(self._request(session, line, primitive), undo))
                    line.unsettled = asked[-1]
                    reply = self._ask_once(session, line, (place, verb, args), deadline)
            # Nothing stands between this and the caller where an interrupt would lose what was granted.
            if reply.outcome == "answered" and not reply.refused:
                return unpacked(reply.value)
        except BaseException:
            if asked:
                line.unsettled = asked[-1]
                self._give_up(line)
            if self._is_ending and threading.current_thread().daemon:
                # The interpreter ends, and whoever waits in such a thread with it: nobody need read of that.
                raise SystemExit from None
            raise
        if reply.refused:
            raise Refusal(reply.refused)
        raise TimeoutError(f"{_name(place)}: no answer to {verb!r} in {timeout} s")

    def keep(self, place: Place, *, is_named: bool) -> object:
        """Return what an unnamed primitive lives with: without it, nobody would know of it any more."""
        if is_named:
            return None
        return self._unnamed.setdefault(place, Kept())

    def close(self) -> None:
        """Let go of what this process holds there; idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._session is not None:
            self._session.end()
        if not self._is_forked:
            self._store.close()
        for session in self._past:
            session.end()

    # One question.

    def _ask_once(
        self,
        session: Session,
        line: Line,
        question: tuple[Place, str, tuple[Plain, ...]],
        deadline: float,
    ) -> Reply | None:
        """Return the answer; None: ask anew."""
        place, verb, args = question
        assert line.unsettled is not None
        try:
            self._make(place, session, line)
            reply = self._send(session, line, verb, args)
            if reply.outcome == "waits":
                reply = self._wait(session, line, deadline)
        except StoreUnavailable as error:
            if place.kind in _HOLDING and not session.is_trusted():
                raise _lost_error(place, self._where) from error
            raise
        line.unsettled = None
        if reply.outcome == "lost":
            session.lose()
            if place.kind in _HOLDING:
                raise _lost_error(place, self._where)
            return None
        if reply.outcome == "gone":
            self._made.discard(place)
            return None
        return reply

    def _make(self, place: Place, session: Session, line: Line) -> None:
        if place not in self._made:
            spec, is_named = packed(place.spec), place not in self._unnamed
            self._insist(
                session,
                line,
                lambda: self._store.open_primitive(place.kind, place.name, spec, is_named=is_named),
            )
            if len(self._made) >= _MOST_MADE:
                self._made.clear()
            self._made.add(place)

    def _send(self, session: Session, line: Line, verb: str, args: tuple[Plain, ...]) -> Reply:
        assert line.unsettled is not None
        sent, request = packed(args), line.unsettled.request
        return self._insist(session, line, lambda: self._store.ask_primitive(request, verb, sent))

    def _wait(self, session: Session, line: Line, deadline: float) -> Reply:
        assert line.unsettled is not None
        request = line.unsettled.request

        def look() -> Reply:
            return self._call(line, lambda: self._store.collect_reply(request))

        reply = wait_for_reply(self._store, look, deadline=deadline, is_trusted=session.is_trusted)
        if reply is not None:
            return reply
        return self._insist(session, line, lambda: self._store.withdraw_request(request))

    def _insist(self, session: Session, line: Line, call: Callable[[], T]) -> T:
        """Call until the store has answered, the session is not trusted any more, or the time is over."""
        while True:
            try:
                return self._call(line, call)
            except StoreUnavailable:
                is_over = monotonic() >= line.gives_up_at
                if is_over or self._is_closed or not session.is_trusted():
                    raise
                time.sleep(_RETRY_SECONDS)

    def _call(self, line: Line, call: Callable[[], T]) -> T:
        return call_by(min(line.gives_up_at, monotonic() + _LONGEST_CALL), call)

    def _request(self, session: Session, line: Line, primitive: uuid.UUID) -> Request:
        return Request(
            session=session.id,
            thread=line.number,
            number=next(self._next_request),
            primitive=primitive,
        )

    # Sessions.

    def _living_session(self) -> Session:
        session = self._session
        if session is not None and session.is_trusted():
            return session
        with self._beginning:
            return self._begin_session()

    def _begin_session(self) -> Session:
        before = self._session
        if before is not None and before.is_trusted():
            return before
        self._check_open()
        if self._is_forked:
            self._store, self._is_forked = self._open(), False
        session = Session(self._store, lease=self._lease, on_beat=self._settle_soon)
        session.begin()
        if before is not None:
            self._leave_behind(before)
        self._session = session
        return session

    def _leave_behind(self, before: Session) -> None:
        """Give up a session that was lost: in the store too, where it may have some time left."""
        before.lose()
        with contextlib.suppress(StoreError):
            self._store.end_session(before.id)
        self._past.append(before)
        self._lost |= self._got
        self._got = set()

    def _check_open(self) -> None:
        if self._is_closed:
            raise StoreError(f"{self._where}: its locks were closed; open them again")

    def _session_for(self, place: Place, verb: str, line: Line) -> Session:
        """Return the session to ask in.

        Raises:
            LockLost: The thread wants to give back what was lost with the last one.
        """
        self._check_open()
        before, what = self._session, (place, line.number)
        # Also where the store is out of reach, so that there can be no other session.
        is_over = before is not None and not before.is_trusted()
        was_lost = what in self._lost or (is_over and what in self._got)
        gives_back = (place.kind, verb) in _GIVING_BACK
        if was_lost or gives_back:
            self._lost.discard(what)
            self._got.discard(what)
        if was_lost and gives_back:
            raise _lost_error(place, self._where)
        session = self._living_session()
        if verb in _GETTING and place.kind in _HOLDING:
            self._got.add(what)
        return session

    # What was interrupted.

    def _line(self) -> Line:
        line: Line | None = getattr(self._of_thread, "line", None)
        if line is None:
            line = self._of_thread.line = self._new_line()
        # What runs on a signal, in the middle of a question, asks as another.
        return self._new_line() if line.is_asking else line

    def _new_line(self) -> Line:
        try:
            number = self._free_numbers.pop()
        except IndexError:
            number = next(self._next_number)
        return Line(number, self._free_numbers)

    def _give_up(self, line: Line) -> None:
        """Take back what a thread has asked and does not wait for: now if that can be done, else later."""
        self._unsettled.add(line)
        with contextlib.suppress(StoreError):
            self._settle_by(line)

    def _settle_by(self, line: Line) -> None:
        # Not for long: nobody has asked for it, and the thread may want to ask.
        call_by(monotonic() + _SOON, lambda: self._settle(line))

    def _settle(self, line: Line) -> None:
        """Take back what a thread has asked, and give back what it was granted."""
        asked, session = line.unsettled, self._session
        if asked is not None and session is not None and _is_in(asked, session):
            reply = self._store.withdraw_request(asked.request)
            if reply.outcome == "answered" and not reply.refused and asked.undo is not None:
                verb, args = asked.undo(unpacked(reply.value))
                if verb:
                    request = self._request(session, line, asked.request.primitive)
                    self._store.ask_primitive(request, verb, packed(args))
        line.unsettled = None
        self._unsettled.discard(line)

    def _settle_soon(self) -> None:
        if self._unsettled:
            # A thread of its own: no renewal waits for it.
            threading.Thread(target=self._settle_all, name="lightwork-settle", daemon=True).start()

    def _settle_all(self) -> None:
        for line in list(self._unsettled):
            if line.lock.acquire(blocking=False):
                try:
                    with contextlib.suppress(StoreError):
                        self._settle_by(line)
                finally:
                    line.lock.release()

    # Processes.

    def _be_forked(self) -> None:
        """Know nothing of the parent's session; the store is opened anew when it is needed."""
        self._inherited += [self._store, self._session]
        self._be_new()
        self._is_forked = True

    def _end(self) -> None:
        """End with the process: others get at once what it held."""
        self._is_ending = True
        if not self._is_forked:
            self._store.hurry()
        self.close()


def _is_in(asked: Asked, session: Session) -> bool:
    """Whether something may come of what was asked: not where its session is lost."""
    return asked.request.session == session.id and session.is_trusted()


def _name(place: Place) -> str:
    return f"{place.kind} {place.name!r}"


def _lost_error(place: Place, where: str) -> LockLost:
    return LockLost(
        f"{_name(place)} of {where}: the session of this process has ended, because it was not heard of in "
        "time; what it held may be another's now"
    )


def _be_forked() -> None:
    for host in list(_hosts):
        host._be_forked()


def _end_all() -> None:
    for host in list(_hosts):
        host._end()


os.register_at_fork(after_in_child=_be_forked)
atexit.register(_end_all)
