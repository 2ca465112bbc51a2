"""Client: the contract of stores, kept by a server; a table of contents.

`called` makes of a method of the contract one that asks the server for it. The rest is what a server
cannot do for us: to wait (changes.py), to return before it is done (sender.py), and whatever needs a
connection of the database itself.
"""

import os
import ssl
import uuid
import weakref
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar

from sqlalchemy import Connection

from lightwork.errors import UsageError
from lightwork.lifecycle import AttemptEnd
from lightwork.model import Attempt, NewJob, State, WorkerInfo
from lightwork.net.client.address import address_of
from lightwork.net.client.calls import Calls
from lightwork.net.client.changes import Changes
from lightwork.net.client.seal import NoSeal, Seal
from lightwork.net.client.sender import Sender, Told
from lightwork.net.wire.about import LARGEST_BODY
from lightwork.net.wire.shapes import shape_of
from lightwork.store.contract import Store, WhenRunning
from lightwork.store.views import KnownCall

P = ParamSpec("P")
T = TypeVar("T")

# Of one ack: a server holds up nobody for longer than it takes to record so many.
_MOST_ENDS: Final = 1000
_MOST_RESULT_BYTES: Final = LARGEST_BODY // 4

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
        self._changes = Changes(self._poll, lambda: list(self._workers.copy()))
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

    def note_commit(self) -> None:
        """Nobody commits from here but the server, which knows it."""

    # Attempts.

    claim = called(Store.claim)
    release_others = called(Store.release_others)
    report_progress = called(Store.report_progress)
    cancel_requests = called(Store.cancel_requests)
    lanes = called(Store.lanes)
    _ack = called(Store.ack)

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
    is_draining = called(Store.is_draining)
    publish_tasks = called(Store.publish_tasks)
    _register = called(Store.register)
    _sign_off = called(Store.sign_off)

    def register(self, worker: WorkerInfo, *, lease: float, is_here: bool = False) -> None:
        """Make a worker known; whether its process lives is told by its lease alone."""
        self._register(worker, lease=lease, is_here=is_here)
        self._workers.add(worker.id)

    def sign_off(self, worker_id: uuid.UUID) -> None:
        """End a worker's lease and release whatever it still holds."""
        self._sign_off(worker_id)
        self._workers.discard(worker_id)

    def leave(self, worker_id: uuid.UUID) -> None:
        """Let others rescue what it holds: when its lease is over, as nothing else tells them."""
        self._workers.discard(worker_id)

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

    def wait_for_change(self, seen: int, timeout: float) -> int:
        """Wait until `changes()` differs from `seen` or the time is up; return it."""
        return self._changes.wait(seen, timeout)

    def hurry(self) -> None:
        """Let no call take longer than a second any more."""
        self.calls.hurry()

    def close(self) -> None:
        """Send what was posted, let go of threads and connections; idempotent."""
        self._sender.close()
        self.calls.close()
        self._changes.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<ServerStore {self.safe_url}>"

    def _poll(self, poll: Any) -> Any:
        polled = self.calls.poll(poll)
        self.calls.note_server(polled.server)
        return polled

    def _be_forked(self) -> None:
        # The workers are the parent's, and so are the threads.
        self._workers = set()
        self.calls.be_forked()
        self._changes.be_new()
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
