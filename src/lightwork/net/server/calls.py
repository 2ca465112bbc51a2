"""Calls: the methods of a store as routes, on threads of their own.

A bounded number of calls is in the store at a time; the others wait for a thread, in order. Decoding
and encoding are done there, too: the event loop only moves bytes.
"""

import asyncio
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec

from lightwork.model import NewJob
from lightwork.net.server.answers import Answers
from lightwork.net.server.checks import check_asked
from lightwork.net.server.heartbeats import Heartbeats
from lightwork.net.server.pollers import Pollers
from lightwork.net.server.request import Caller, Reply, Request
from lightwork.net.server.routes import Route
from lightwork.net.wire import media
from lightwork.net.wire.about import CALL, FIRST
from lightwork.net.wire.failures import Refused, failure_of
from lightwork.net.wire.methods import METHODS, Method
from lightwork.net.wire.shapes import shape_of
from lightwork.store.contract import Store

T = TypeVar("T")

# A database on two cores is busy with fewer; more would only wait in there.
THREADS: Final = 16
BEATS: Final = 2
_LONGEST_ID: Final = 64


class Calls:
    """Calls one store."""

    def __init__(self, store: Store, server: str) -> None:
        self.store = store
        self.server = server
        self.pollers = Pollers()
        self._answers = Answers()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="lightwork-call")
        # A lease must not end because sixteen others ask for much.
        self._beats = ThreadPoolExecutor(BEATS, thread_name_prefix="lightwork-beat")
        self._heartbeats = Heartbeats(store, self._run_beat)
        # Told of new jobs, in the thread that has kept them.
        self.on_submitted: Callable[[list[NewJob]], object] = lambda _jobs: None

    def routes(self) -> Iterator[Route]:
        """Yield a route for each method."""
        for method in METHODS.values():
            shape = shape_of(method.name)
            yield Route(
                method="POST",
                path=method.path,
                roles=method.roles,
                answer=self._answerer(method),
                request=shape.request,
                result=shape.result,
                summary=f"Store.{method.name}",
                is_once=not method.is_safe,
            )

    async def run(self, call: Callable[[], T]) -> T:
        """Do something on a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def reply(self, request: Request, call: Callable[[], Any]) -> Reply:
        """Answer with what a call returns, or with its error."""
        return await self.run(lambda: replied(request, call))

    async def beat(self, request: Request, call: Callable[[], Any]) -> Reply:
        """Do the same, whatever else is under way."""
        return await self._run_beat(lambda: replied(request, call))

    def begin_to_renew(
        self, workers: Collection[uuid.UUID], lease: float
    ) -> asyncio.Future[set[uuid.UUID]]:
        """Renew the leases of workers soon; the future has those that had not run out, and others."""
        return self._heartbeats.begin(workers, lease)

    async def renew(self, request: Request) -> Reply:
        """Renew the lease of a worker, together with those of others; without a thread of its own."""
        given = decoded(request, shape_of("renew").request)
        is_renewed = await self._heartbeats.renew(given.worker_id, given.lease)
        if is_renewed:
            self.pollers.note_alive(given.worker_id)
        return Reply(200, media.encode(is_renewed, request.media), request.media)

    async def once(self, request: Request, caller: Caller, call: Callable[[], Any]) -> Reply:
        """Do the same, but only once for each id that a caller gives to its call."""
        said = dict(parse_qsl(request.query))
        call_id, first = said.get(CALL, ""), said.get(FIRST, "")
        if first and first != self.server:
            raise Restarted(self.server)
        if not call_id:
            return await self.reply(request, call)
        if len(call_id) > _LONGEST_ID:
            raise Refused(422, "UsageError", f"the id of a call has up to {_LONGEST_ID} characters")
        key = (f"{caller.role}/{caller.name}", request.path, call_id)
        return await self._answers.answer(key, request.body, lambda: self.reply(request, call))

    def close(self) -> None:
        """End the threads, when what they do is done."""
        self._threads.shutdown()
        self._beats.shutdown()

    def _answerer(self, method: Method) -> Any:
        name = method.name

        async def answer(request: Request, caller: Caller, _: Mapping[str, str]) -> Reply:
            def call() -> Any:
                return self._perform(name, request, caller)

            if name == "renew":
                return await self.renew(request)
            if method.is_urgent:
                return await self.beat(request, call)
            if method.is_safe:
                return await self.reply(request, call)
            return await self.once(request, caller, call)

        return answer

    async def _run_beat(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._beats, call)

    def _perform(self, name: str, request: Request, caller: Caller) -> Any:
        shape = shape_of(name)
        given = decoded(request, shape.request)
        check_asked(name, given, caller)
        result = shape.perform(self.store, given)
        if name == "workers":
            return self.pollers.shown(result)
        if name == "submit":
            jobs = zip(given.jobs, result.result, strict=True)
            self.on_submitted([job for job, is_new in jobs if is_new])
        elif name == "claim":
            self.pollers.note([_worker_of(given)])
        elif name == "sign_off":
            self.pollers.forget(_worker_of(given))
        return result


class Restarted(Refused):
    """A call was sent to another server first, which may have done it."""

    def __init__(self, server: str) -> None:
        super().__init__(
            503,
            "StoreUnavailable",
            "the server was started anew while it was asked; what was asked may have been done",
        )
        self.failure = msgspec.structs.replace(self.failure, fields={"server": server})


def decoded(request: Request, kind: Any) -> Any:
    """Return the body of a request.

    Raises:
        Refused: It is not what is expected.
    """
    try:
        return media.decode(request.body or b"{}", kind, request.media)
    except msgspec.DecodeError as error:
        raise Refused(422, "UsageError", f"{request.path}: {error}") from error


def replied(request: Request, call: Callable[[], Any]) -> Reply:
    """Return the answer that says what a call returns, or what went wrong."""
    try:
        status, body = 200, media.encode(call(), request.media)
    except Exception as error:
        status, failure = failure_of(error)
        body = media.encode(failure, request.media)
    return Reply(status, body, request.media)


def _worker_of(given: Any) -> uuid.UUID:
    worker: uuid.UUID = given.worker_id
    return worker
