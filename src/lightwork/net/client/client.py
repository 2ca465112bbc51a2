"""Client: the contract of stores, kept by a server; a table of contents.

`called` makes of a method of the contract one that asks the server for it. The rest is what a server
cannot do for us: to wait (changes.py), to return before it is done (sender.py), and whatever needs a
connection of the database itself.
"""

import functools
import os
import ssl
import uuid
import weakref
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Any, Concatenate, Final, NamedTuple, ParamSpec, Self, TypeVar

from sqlalchemy import Connection

from lightwork.errors import StoreUnavailable, UsageError
from lightwork.lifecycle import AttemptEnd
from lightwork.model import Attempt, Lane, NewJob, State, WorkerInfo
from lightwork.net.client.address import address_of
from lightwork.net.client.calls import Calls
from lightwork.net.client.carried import Carried
from lightwork.net.client.changes import Changes
from lightwork.net.client.seal import NoSeal, Seal
from lightwork.net.client.sender import Sender, Told
from lightwork.net.client.unchanged import TOLD_SECONDS, Unchanged
from lightwork.net.wire.about import LARGEST_BODY, MOST_POLLED
from lightwork.net.wire.shapes import shape_of
from lightwork.store.contract import Store, WhenRunning
from lightwork.store.views import KnownCall

P = ParamSpec("P")
T = TypeVar("T")

# Of one ack: a server holds up nobody for longer than it takes to record so many.
_MOST_ENDS: Final = 1000
_MOST_RESULT_BYTES: Final = LARGEST_BODY // 4


class Claimers(NamedTuple):
    """Workers of the same queues that use this store: what is told of these, and what was said since."""

    changes: Changes
    unchanged: Unchanged

    def tells_of(self, worker_id: uuid.UUID) -> bool:
        """Whether it would be heard if this worker is to end."""
        return self.changes.followed() is not None and self.changes.names(worker_id)


_clients: Final["weakref.WeakSet[ServerStore]"] = weakref.WeakSet()


def called(method: Callable[Concatenate[Any, P], T]) -> Callable[Concatenate["ServerStore", P], T]:
    """Return a method that has the server do what this one of the contract says."""
    name = method.__name__

    def call(self: "ServerStore", /, *args: P.args, **kwargs: P.kwargs) -> T:
        names = shape_of(name).positional
        if len(args) > len(names):
            raise TypeError(f"{name}() takes {len(names)} positional arguments, not {len(args)}")
        result: T = self.calls.call(name, dict(zip(names, args, strict=False)) | kwargs)
        return result

    call.__name__, call.__doc__ = name, method.__doc__
    return call


class ServerStore:
    """A store behind a server; see contract.Store for what each method promises.

    Args:
        url: http://HOST:PORT or https://HOST:PORT.
        seal: Proves who we are.
        tls: How the server's certificate is judged; None: it is a part of what the seal proves, and
            without one by the machine's authorities.

    Raises:
        UsageError: The URL is not that of a server.
        StoreUnavailable: Nobody answers there.
    """

    def __init__(
        self, url: str, *, seal: Seal | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        address = address_of(url)
        if address.is_tls and tls is None:
            tls = _judged_by_key() if seal is not None else ssl.create_default_context()
        self._url = address.url
        self.calls = Calls(address, tls if address.is_tls else None, seal or NoSeal())
        # Those that this store was told of: for them it asks whether there is anything to do.
        self._workers: set[uuid.UUID] = set()
        self._changes = Changes(self._poll, self._polled_for)
        self._unchanged = Unchanged(self._changes.followed)
        # Of who waits for the ends of jobs.
        self._ends = Changes(self._poll, self._polled_for, but_submits=True)
        self._carried = Carried()
        # Of workers, by the queues that they serve.
        self._claimers: dict[tuple[str, ...], Claimers] = {}
        self._sender = Sender(
            lambda jobs, told: self.submit(jobs, taken=told.taken, known=told.known), self._url
        )
        _clients.add(self)

    @property
    def url(self) -> str:
        """The URL that opens it again; the key is not part of it."""
        return self._url

    @property
    def safe_url(self) -> str:
        """The URL as it may be shown and logged."""
        return self._url

    @property
    def largest_value(self) -> int:
        """How many bytes a payload or a result may have here."""
        return self.calls.about.largest_value

    @property
    def has_upkeep(self) -> bool:
        """Whether the server does the upkeep of its store; asks it, where it is another one now."""
        return self.calls.about_now().does_upkeep

    @property
    def keeps_meanwhile(self) -> bool:
        """Return True."""
        return True

    # Jobs.

    submit = called(Store.submit)
    states = called(Store.states)
    outcomes = called(Store.outcomes)
    results_size = called(Store.results_size)
    progress = called(Store.progress)
    cancel = called(Store.cancel)
    retry = called(Store.retry)
    cancel_where = called(Store.cancel_where)
    retry_where = called(Store.retry_where)

    def submit_nowait(
        self,
        jobs: Sequence[NewJob],
        *,
        taken: dict[uuid.UUID, uuid.UUID] | None = None,
        known: dict[uuid.UUID, KnownCall] | None = None,
    ) -> Future[list[bool]]:
        """Do the same without waiting."""
        return self._sender.submit(jobs, Told(taken, known))

    def cancel_nowait(
        self, job_ids: Iterable[uuid.UUID], *, running: WhenRunning
    ) -> Future[dict[uuid.UUID, State]]:
        """Do the same without waiting."""
        ids = list(job_ids)
        return self._sender.post(lambda: self.cancel(ids, running=running))

    def submit_on(
        self,
        connection: Connection,  # noqa: ARG002 - the contract's
        jobs: Sequence[NewJob],  # noqa: ARG002
        *,
        taken: dict[uuid.UUID, uuid.UUID] | None = None,  # noqa: ARG002
        known: dict[uuid.UUID, KnownCall] | None = None,  # noqa: ARG002
    ) -> list[bool]:
        """Refuse: the transaction is the database's, which is not reached from here."""
        raise UsageError(
            f"{self._url} is a server: a job can be a part of a transaction of yours only where this "
            "program uses the store's database itself; open the executor on the database's URL"
        )

    def renew_all(self, worker_ids: Iterable[uuid.UUID], *, lease: float) -> set[uuid.UUID]:
        """Extend leases one by one: a program has few workers, and the server gathers those of all."""
        return {one for one in worker_ids if self.renew(one, lease=lease)}

    def renewed_by_waiting(self, worker_id: uuid.UUID, *, lease: float) -> float | None:
        """Have the polls of a worker renew its lease."""
        return self._carried.ask(worker_id, lease)

    def note_commit(self) -> None:
        """Nobody commits from here but the server, which knows it."""

    # Attempts.

    claim = called(Store.claim)
    release_others = called(Store.release_others)
    report_progress = called(Store.report_progress)
    cancel_requests = called(Store.cancel_requests)
    _lanes = called(Store.lanes)
    _ack = called(Store.ack)

    def lanes(self, queues: Sequence[str], *, is_whole: bool = False) -> list[Lane]:
        """Return where jobs are ready; that none are is remembered until something changes."""
        if is_whole:
            return self._lanes(queues, is_whole=True)
        claimers = self._claimers.get(tuple(queues))
        told = claimers.changes.take_lanes() if claimers is not None else None
        if told is not None:
            return told
        is_followed = claimers is not None and claimers.changes.followed() is not None
        unchanged = claimers.unchanged if claimers is not None and is_followed else self._unchanged
        return unchanged.ask(tuple(queues), lambda: self._lanes(queues), nothing=[])

    def ack(
        self,
        worker_id: uuid.UUID,
        ends: Sequence[tuple[Attempt, AttemptEnd]],
        *,
        begun: Sequence[Attempt] = (),
    ) -> list[Attempt]:
        """Record how attempts ended, so many at a time; return those refused."""
        refused: list[Attempt] = []
        for part in _parts(ends):
            refused += self._ack(worker_id, part, begun=begun)
            begun = ()
        return refused

    # Workers.

    renew = called(Store.renew)
    drain = called(Store.drain)
    draining = called(Store.draining)
    _is_draining = called(Store.is_draining)
    publish_tasks = called(Store.publish_tasks)
    _register = called(Store.register)
    _sign_off = called(Store.sign_off)

    def register(self, worker: WorkerInfo, *, lease: float, is_here: bool = False) -> None:
        """Make a worker known; whether its process lives is told by its lease alone."""
        self._register(worker, lease=lease, is_here=is_here)
        self._workers.add(worker.id)

    def is_draining(self, worker_id: uuid.UUID) -> bool:
        """Whether a worker is to end; that it is not is remembered until something changes."""
        is_asked = functools.partial(self._is_draining, worker_id)
        told = [one for one in self._claimers.copy().values() if one.tells_of(worker_id)]
        unchanged = told[0].unchanged if told else self._unchanged
        return unchanged.ask(worker_id, is_asked, nothing=False)

    def sign_off(self, worker_id: uuid.UUID) -> None:
        """End a worker's lease and release whatever it still holds."""
        self._sign_off(worker_id)
        self._forget(worker_id)

    def leave(self, worker_id: uuid.UUID) -> None:
        """Let others rescue what it holds: when its lease is over, as nothing else tells them."""
        self._forget(worker_id)

    def _polled_for(self) -> list[uuid.UUID]:
        return list(self._workers.copy())[:MOST_POLLED]

    def _forget(self, worker_id: uuid.UUID) -> None:
        self._workers.discard(worker_id)
        self._carried.forget(worker_id)

    # Upkeep.

    promote = called(Store.promote)
    expire = called(Store.expire)
    unblock = called(Store.unblock)
    readmit = called(Store.readmit)
    recount_limits = called(Store.recount_limits)
    rescue = called(Store.rescue)
    fold = called(Store.fold)
    chores = called(Store.chores)
    prune = called(Store.prune)
    align_clock = called(Store.align_clock)
    add_rollups = called(Store.add_rollups)
    fold_rollups = called(Store.fold_rollups)

    def sweep(self) -> None:
        """Do nothing: whoever serves the store does it."""

    def has_dead(self) -> bool:
        """Return False: from here only the end of a lease can tell."""
        return False

    # Schedules, queues and settings.

    declare_schedules = called(Store.declare_schedules)
    schedules = called(Store.schedules)
    schedule = called(Store.schedule)
    pause_schedule = called(Store.pause_schedule)
    resume_schedule = called(Store.resume_schedule)
    remove_schedules = called(Store.remove_schedules)
    run_schedule = called(Store.run_schedule)
    run_due_schedules = called(Store.run_due_schedules)
    pause = called(Store.pause)
    resume = called(Store.resume)
    limit_queue = called(Store.limit_queue)
    purge = called(Store.purge)
    queues = called(Store.queues)
    settings = called(Store.settings)
    change_setting = called(Store.change_setting)

    # Looking.

    jobs = called(Store.jobs)
    job = called(Store.job)
    payloads = called(Store.payloads)
    held_up = called(Store.held_up)
    relatives = called(Store.relatives)
    attempts = called(Store.attempts)
    workers = called(Store.workers)
    summary = called(Store.summary)
    depths = called(Store.depths)
    news_mark = called(Store.news_mark)
    new_jobs = called(Store.new_jobs)
    ended_jobs = called(Store.ended_jobs)
    ended_attempts = called(Store.ended_attempts)
    history = called(Store.history)
    totals = called(Store.totals)
    stats = called(Store.stats)
    check = called(Store.check)
    repair = called(Store.repair)

    # Primitives.

    open_session = called(Store.open_session)
    renew_session = called(Store.renew_session)
    end_session = called(Store.end_session)
    open_primitive = called(Store.open_primitive)
    ask_primitive = called(Store.ask_primitive)
    collect_reply = called(Store.collect_reply)
    withdraw_request = called(Store.withdraw_request)
    primitives = called(Store.primitives)
    break_lock = called(Store.break_lock)
    remove_primitive = called(Store.remove_primitive)
    prune_primitives = called(Store.prune_primitives)

    # Waking.

    def changes(self) -> int:
        """Return a number that differs after any commit by anybody; asks the server."""
        return self._changes.changes()

    def wait_for_change(
        self,
        seen: int,
        timeout: float,
        *,
        but_submits: bool = False,
        queues: Sequence[str] = (),
    ) -> int:
        """Wait until `changes()` differs from `seen` or the time is up; return it."""
        about = self.calls.about_now() if queues else self.calls.about
        # Who does the upkeep himself has to look after each change; and who serves so many queues does, too.
        is_told = max(len(queues), len(self._workers)) <= MOST_POLLED
        if queues and is_told and about.wakes_workers and about.does_upkeep:
            return self._claimers_of(tuple(queues)).changes.wait(seen, timeout)
        if but_submits and about.wakes_workers:
            return self._ends.wait(seen, timeout)
        return self._changes.wait(seen, timeout)

    def hurry(self) -> None:
        """Let no call take longer than a second any more."""
        self.calls.hurry()

    def close(self) -> None:
        """Send what was posted, let go of threads and connections; idempotent."""
        self._sender.close()
        self.calls.close()
        for changes in (
            self._changes,
            self._ends,
            *(one.changes for one in self._claimers.values()),
        ):
            changes.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<ServerStore {self.safe_url}>"

    def _claimers_of(self, queues: tuple[str, ...]) -> Claimers:
        if queues not in self._claimers:
            changes = Changes(self._poll, self._polled_for, queues, self._carried)
            # Of two threads that come at once one is first.
            self._claimers.setdefault(
                queues, Claimers(changes, Unchanged(changes.followed, TOLD_SECONDS))
            )
        return self._claimers[queues]

    def _poll(self, poll: Any) -> Any:
        try:
            polled = self.calls.poll(poll)
        except UsageError as error:
            # Of a server of an earlier release that was started in place of this one.
            self.calls.note_other()
            raise StoreUnavailable(f"server {self._url} is of another release now") from error
        self.calls.note_server(polled.server)
        return polled

    def _be_forked(self) -> None:
        # The workers are the parent's, and so are the threads.
        self._workers = set()
        self.calls.be_forked()
        self._changes.be_new()
        self._ends.be_new()
        self._unchanged = Unchanged(self._changes.followed)
        self._carried = Carried()
        self._claimers = {}
        self._sender.be_new()


def _judged_by_key() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _parts(
    ends: Sequence[tuple[Attempt, AttemptEnd]],
) -> Iterable[list[tuple[Attempt, AttemptEnd]]]:
    """Yield the ends in parts that a server takes at once; one part at least."""
    part: list[tuple[Attempt, AttemptEnd]] = []
    size = 0
    for attempt, end in ends:
        length = len(getattr(end, "result", b""))
        if part and (len(part) >= _MOST_ENDS or size + length > _MOST_RESULT_BYTES):
            yield part
            part, size = [], 0
        part.append((attempt, end))
        size += length
    yield part


def _be_forked() -> None:
    for client in list(_clients):
        client._be_forked()


os.register_at_fork(after_in_child=_be_forked)
