"""Host: the broker of this machine, as a process uses it: the host "processes".

No thread of its own: who asks waits at a socket of the broker's. A process has as many lines as threads of it have asked
at once, all of one session. A child that was forked closes what it has inherited, never writes to it, and
has a session of its own.

A broker that is stopped or hangs answers nobody. Whoever has set a time hears of it (StoreUnavailable) a few seconds after that at
the latest, and so does whoever comes anew; who waits without one waits on, and a Ctrl-C ends that as any wait. What was asked and not answered
is left to a thread, which takes it back, or gives back what was granted to nobody, when the broker goes on; until
then nothing more is asked of it.

When the broker dies the session is lost with all that it held there: whoever waits, or asks next, is told so
(LockLost), once for each primitive, and the use after that starts another broker. Locks and memory of the arena stay.
"""

import contextlib
import itertools
import os
import threading
import weakref
from _thread import get_ident
from collections import deque
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any, Final

from lightwork.errors import LockLost, StoreUnavailable, UsageError
from lightwork.locks.uninterrupted import Uninterrupted
from lightwork.machines.shapes import Plain
from lightwork.sync.broker import protocol
from lightwork.sync.broker.line import GRACE, Line
from lightwork.sync.broker.listing import FIRST, Listed, Row, view_of
from lightwork.sync.broker.protocol import SilentError
from lightwork.sync.broker.starting import PATIENCE, broker_shown, connect, connect_running
from lightwork.sync.host import Place, Refusal
from lightwork.sync.runtime_folder import open_runtime_folder

Undo = Callable[[Plain], tuple[str, tuple[Plain, ...]]]

# Tries to join a broker; each but the last has met one that was about to end.
_TRIES: Final = 20
# Seconds that a Ctrl-C waits for what it cuts off to be taken back, and a question for what was left before it.
_SOON: Final = 1.0


class Session:
    """What this process is to one life of the broker.

    Attributes:
        name: 16 random bytes.
        idle: Lines that nobody asks on.
        lines: All of them.
        places: What it has been asked for.
        settling: Threads that take back what was asked and left.
        watched: One on which nothing is asked: its end is the broker's.
        has_arena: The arena knows of it.
        is_lost: The broker has ended.
    """

    def __init__(self) -> None:
        self.name = os.urandom(16)
        self.idle: list[Line] = []
        self.lines: set[Line] = set()
        self.places: set[Place] = set()
        self.settling: set[threading.Thread] = set()
        self.watched: Line | None = None
        self.has_arena = False
        self.is_lost = False


class _Kept:
    """What an unnamed primitive lives with."""

    __slots__ = ("__weakref__",)


class Broker:
    """The broker that meets in one runtime folder."""

    where = "processes"

    def __init__(self, path: str) -> None:
        self._path = path
        self._folder = open_runtime_folder(path)
        # Guards _session, and the tables of what this process has.
        self._lock = threading.RLock()
        self._session: Session | None = None
        # What has ended with a broker, and whose users have not been told.
        self._lost: set[Place] = set()
        self._kept: weakref.WeakValueDictionary[Place, _Kept] = weakref.WeakValueDictionary()
        # What unnamed primitives this process has and has no longer. Filled by finalizers, which must not
        # wait: told before the next question.
        self._news: deque[tuple[int, Place]] = deque()

    @property
    def session(self) -> bytes:
        """Of this process; another after the broker has died."""
        return self._current().name

    def ask(
        self,
        place: Place,
        verb: str,
        args: tuple[Plain, ...] = (),
        *,
        timeout: float | None = None,
        undo: Undo | None = None,
    ) -> Plain:
        """Ask, and wait for the answer: see Host."""
        if self._lost and place in self._lost:
            self._lost.discard(place)
            raise lost_error()
        parts = (get_ident(), place.kind, place.name, place.spec, verb, args)
        try:
            outcome, value = self._converse(protocol.ASK, parts, timeout, undo)
        except LockLost:
            self._lost.discard(place)
            raise
        # Between here and the answer's way out nothing is called: see _converse.
        if outcome == protocol.ANSWERED:
            return value  # type: ignore[no-any-return]  # plain, as it was decoded
        raise error_of(place, outcome, value)

    def _converse(
        self, kind: int, parts: tuple[Any, ...], timeout: float | None, undo: Undo | None
    ) -> tuple[int, Any]:
        session = self._current()
        if session.settling:
            timeout = self._after_settling(session, timeout)
        line: Line | None = None
        try:
            line = self._line(session)
            if self._news:
                self._tell_news(line)
            if kind == protocol.ASK:
                session.places.add(Place(*parts[1:4]))
            if kind == protocol.RING:
                session.places.add(Place(*parts))
                answer = line.ask_for_descriptors(parts)
            else:
                answer = line.ask(kind, parts, timeout)
        except EOFError as error:
            self._lose(session, line)
            raise lost_error() from error
        except ValueError as error:
            raise UsageError(str(error)) from error
        except BaseException as error:
            is_silent = isinstance(error, SilentError)
            if line is not None:
                self._settle(session, line, parts, undo, patience=0.0 if is_silent else _SOON)
            if is_silent:
                raise self._silent_error() from None
            raise
        # No call of `append`: Python looks for a Ctrl-C after calls, and what was granted would be lost.
        line.settled = line.question
        session.idle += [line]
        return answer

    def _current(self) -> Session:
        session = self._session
        if session is None:
            # Whoever has it starts the broker, or waits for one that does not answer.
            if not self._lock.acquire(timeout=PATIENCE):
                raise self._silent_error()
            try:
                session = self._session
                if session is None:
                    session = self._session = self._begin()
            finally:
                self._lock.release()
        return session

    def _begin(self) -> Session:
        """Join the broker, starting it if need be."""
        for _ in range(_TRIES):
            session = Session()
            with contextlib.suppress(EOFError):
                session.idle.append(self._new_line(session))
                # To this life of the broker, or of this process, it is news.
                self._news.extend((protocol.KEEP, place) for place in [*self._kept])
                return session
        raise StoreUnavailable(
            f"the broker of {self._path!r} ends whenever it is started; see its log there"
        )

    def _line(self, session: Session, *, is_patient: bool = False) -> Line:
        try:
            return session.idle.pop()
        except IndexError:
            return self._new_line(session, is_patient=is_patient)

    def _new_line(self, session: Session, *, is_patient: bool = False) -> Line:
        try:
            line = Line(connect(self._folder, self._path))
        except SilentError:
            raise self._silent_error() from None
        session.lines.add(line)
        try:
            line.greet(session.name)
            if is_patient:
                line.join(None)
            else:
                self._join(line)
            if session.is_lost:
                # By another thread meanwhile: this is another life of the broker.
                raise EOFError
        except BaseException:
            session.lines.discard(line)
            line.close()
            raise
        return line

    def _join(self, line: Line) -> None:
        end = monotonic() + PATIENCE
        while True:
            try:
                return line.join(GRACE)
            except TimeoutError:
                # One that has just been started may take its time; one that is stopped will not begin.
                if monotonic() > end or broker_shown(self._folder)[1]:
                    raise self._silent_error() from None

    def keep(self, place: Place, *, is_named: bool) -> object:
        """Return what an unnamed primitive lives with: it ends some time after the last of these, in whatever process."""
        if is_named:
            return None
        with self._lock:
            kept = self._kept.get(place)
            if kept is None:
                kept = self._kept[place] = _Kept()
                self._news.append((protocol.KEEP, place))
                dropped = weakref.finalize(kept, self._news.append, (protocol.DROP, place))
                dropped.atexit = False
        return kept

    def _tell_news(self, line: Line) -> None:
        with contextlib.suppress(IndexError):
            while True:
                kind, place = self._news.popleft()
                if kind == protocol.KEEP or place not in self._kept:
                    line.tell((kind, ((place.kind, place.name),)))

    def _settle(
        self,
        session: Session,
        line: Line,
        parts: tuple[Any, ...],
        undo: Undo | None,
        *,
        patience: float,
    ) -> None:
        """Take back a question whose thread goes away, or what it was given: in so many seconds, else when that can be done."""
        with Uninterrupted(), contextlib.suppress(RuntimeError):  # The interpreter ends.
            thread = threading.Thread(
                target=self._take_back,
                args=(session, line, parts, undo),
                name="lightwork-settle",
                daemon=True,
            )
            thread.start()
            session.settling.add(thread)
            thread.join(patience)

    def _take_back(
        self, session: Session, line: Line, parts: tuple[Any, ...], undo: Undo | None
    ) -> None:
        # OSError: this host was closed meanwhile, with all its lines.
        with contextlib.suppress(EOFError, OSError, StoreUnavailable):
            # Before the line is closed: with its last one the broker takes the session for lost, and all that it holds.
            other = self._line(session, is_patient=True)
            try:
                outcome, value = protocol.WITHDRAWN, None
                # Else it was interrupted before it asked: the answer of the question before is another's.
                if line.question != line.settled:
                    outcome, value = other.ask(protocol.SETTLE, (line.number, line.question), None)
                session.lines.discard(line)
                line.close()
                if outcome == protocol.ANSWERED and undo is not None:
                    verb, args = undo(value)
                    if verb:
                        other.ask(protocol.ASK, (*parts[:4], verb, args), None)
            except BaseException:
                session.lines.discard(other)
                other.close()
                raise
            other.settled = other.question
            session.idle.append(other)
            if session.is_lost:
                self._lose(session, None)

    def _after_settling(self, session: Session, timeout: float | None) -> float | None:
        """Wait until the broker has heard what was left; return what is left of the time."""
        end = None if timeout is None else monotonic() + max(timeout, 0.0)
        for thread in [*session.settling]:
            thread.join(None if end is None else max(end - monotonic(), 0.0) + _SOON)
            if thread.is_alive():
                raise self._silent_error()
            session.settling.discard(thread)
        return None if end is None else max(end - monotonic(), 0.0)

    def _silent_error(self) -> StoreUnavailable:
        broker, is_stopped = broker_shown(self._folder)
        advice = (
            "it is stopped, as by SIGSTOP; SIGCONT lets it go on"
            if is_stopped
            else f"it is busy, or hangs; see {self._path}/{protocol.LOG}"
        )
        return StoreUnavailable(f"{broker} does not answer: {advice}")

    def _lose(self, session: Session, line: Line | None) -> None:
        with self._lock:
            if not session.is_lost:
                # Each is told once: what they find at the next broker is empty, and nobody did it.
                self._lost |= session.places
            session.is_lost = True
            if self._session is session:
                self._session = None
        if line is not None:
            session.lines.discard(line)
            line.close()
        for other in [*session.lines]:
            # A thread that waits there is woken with the end of the line, and closes it.
            with contextlib.suppress(OSError):
                other.socket.shutdown(2)
        with contextlib.suppress(IndexError):
            while True:
                session.idle.pop().close()

    def primitives(self, *, limit: int = 1000) -> list[Listed]:
        """Return what the broker has, by kind and name, without a name too; nothing if none is running: none is started."""
        return [view_of(row) for row in itertools.islice(self._rows(), limit)]

    def break_lock(self, name: str) -> bool:
        """Take a lock from its holder and hand it to the next; False: nobody held it.

        Raises:
            UsageError: There is none of this name, or it is the kernel's and another process holds it.
        """
        for kind, found, spec, is_in_arena, *_ in self._rows():
            if (kind, found) == ("lock", name):
                return self._break(Place(kind, name, spec), is_in_arena=is_in_arena)
        raise UsageError(
            f"there is no lock {name!r} between the processes of this machine; `lightwork locks processes` "
            "lists those that there are"
        )

    def _break(self, place: Place, *, is_in_arena: bool) -> bool:
        """Take it; what is in the arena is ArenaBroker's."""
        assert not is_in_arena
        return bool(self.ask(place, "break"))

    def _rows(self) -> Iterator[Row]:
        """Yield all that the broker lists, on a line of no session."""
        try:
            found = connect_running(self._folder)
        except SilentError:
            raise self._silent_error() from None
        if found is None:
            return
        line = Line(found)
        # It ends just now, and all that it had with it.
        with contextlib.closing(line), contextlib.suppress(EOFError):
            after = FIRST
            while rows := self._page(line, after):
                yield from rows
                after = rows[-1][:2]

    def _page(self, line: Line, after: tuple[str, str]) -> list[Row]:
        try:
            rows: list[Row] = line.ask(protocol.LIST, (after,), 0.0)[1]
        except SilentError:
            raise self._silent_error() from None
        return rows

    def close(self) -> None:
        """Let go of what this process holds there; the next use begins anew."""
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            # For who takes back what was left: it begins no other line.
            session.is_lost = True
            with contextlib.suppress(EOFError, IndexError):
                session.idle.pop().tell((protocol.BYE,))
            for line in [*session.lines]:
                line.close()

    def be_forked(self) -> None:
        """Forget, in a forked child, what is the parent's."""
        self._lock = threading.RLock()
        if self._session is not None:
            for line in self._session.lines:
                line.close()
            self._session = None
        self._lost.clear()
        self._news.clear()


def lost_error() -> LockLost:
    """Return what says that a broker has ended."""
    return LockLost(
        "the broker of this machine has ended, and with it whatever it held: locks, items, values; "
        "it is started again at the next use"
    )


def error_of(place: Place, outcome: int, value: Any) -> Exception:
    """Return what says that a question has no answer."""
    if outcome == protocol.REFUSED:
        return Refusal(value)
    if outcome == protocol.WITHDRAWN:
        return TimeoutError()
    if outcome == protocol.DIFFERS:
        return UsageError(
            f"the {place.kind} {place.name!r} is there already and was made in another way: expected "
            f"{value!r}, seen {place.spec!r}"
        )
    if outcome == protocol.NO_ROOM:
        return StoreUnavailable(f"no room for the {place.kind} {place.name!r}: {value}")
    return UsageError(f"the {place.kind} {place.name!r} does not take this question: {value}")
