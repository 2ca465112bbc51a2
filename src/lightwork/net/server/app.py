"""App: one store as an ASGI application; what becomes of a request, from the first byte to the last.

    body    ── of a session that is not known (any more)? ──▶ all of it is let go by, then 401
            ── announced or sent too large? ──▶ 413
    gate    ── who asks? ──▶ 401, before anything is decoded
    routes  ── is it there, and for this role? ──▶ 404, 403
    answer  ── decode, call the store, encode (calls.py); or park (watch.py)
    gate    ── proves the answer

Plain ASGI, of any server that speaks it. A framework would route by matching sixty patterns in turn, and its idea
of a request's URL is made of `Host`, which anybody may write.
"""

import asyncio
import dataclasses
import functools
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from importlib.metadata import version
from typing import Any, Final

from lightwork.model import NewJob
from lightwork.net.server.calls import Calls, decoded
from lightwork.net.server.checks import WORKING, check_poll
from lightwork.net.server.claim_watch import ClaimWatch
from lightwork.net.server.face.jobs import job_routes
from lightwork.net.server.face.openapi import document_route
from lightwork.net.server.gate import Gate, OpenGate
from lightwork.net.server.request import ANYBODY, Caller, Reply, Request
from lightwork.net.server.routes import EVERYBODY, Route, Routes
from lightwork.net.server.watch import Watch
from lightwork.net.wire import media
from lightwork.net.wire.about import (
    ABOUT,
    CHANGES,
    LARGEST_BODY,
    LARGEST_VALUE,
    About,
    Poll,
    Polled,
)
from lightwork.net.wire.failures import Refused, failure_of
from lightwork.store.contract import Store

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

# Of a size that is announced; Python refuses to read numbers of thousands.
_MOST_DIGITS: Final = 18


class App:
    """Offers one store, which stays open.

    Args:
        store: The store.
        gate: Knows who asks.
        largest_body: Bytes of a request's body at most.
        does_upkeep: Somebody does the upkeep of the store, as long as this is served.
    """

    def __init__(
        self,
        store: Store,
        *,
        gate: Gate | None = None,
        largest_body: int = LARGEST_BODY,
        does_upkeep: bool = False,
    ) -> None:
        # New with each start: who was answered by another one can tell.
        self.server = uuid.uuid4().hex
        self._store = store
        self._gate: Gate = gate or OpenGate()
        self._largest_body = largest_body
        self._does_upkeep = does_upkeep
        self._calls = Calls(store, self.server)
        self._watch: Watch | None = None
        self._claim_watch: ClaimWatch | None = None
        self._end_watch: Watch | None = None
        routes = [*self._own_routes(), *job_routes(self._calls), *self._calls.routes()]
        self.routes = Routes([document_route(routes, version("lightwork")), *routes])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or see a server's life begin and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    def stop(self) -> None:
        """Answer every parked poll at once, and wait no longer for the store: the server ends."""
        self._store.hurry()
        for watch in self._watches():
            watch.stop()

    @property
    def parked(self) -> int:
        """How many polls are parked."""
        return sum(watch.parked for watch in self._watches())

    async def begin(self) -> None:
        """Begin to answer, in this event loop."""
        self._watch = Watch(self._store, self.server, self._number)
        self._claim_watch = ClaimWatch(self._store, self.server, self._calls.run)
        self._end_watch = Watch(
            self._store, self.server, self._number_but_submits, but_submits=True
        )
        loop = asyncio.get_running_loop()
        self._calls.on_submitted = lambda jobs: loop.call_soon_threadsafe(
            functools.partial(self._note_submitted, jobs)
        )

    async def end(self) -> None:
        """Let go of all threads."""
        for watch in self._watches():
            await watch.close(self._calls.run)
        self._calls.close()

    def _watches(self) -> list[Watch]:
        return [watch for watch in self._all_watches() if watch is not None]

    def _all_watches(self) -> tuple[Watch | None, ...]:
        return self._watch, self._claim_watch, self._end_watch

    def _watch_of(self, poll: Poll) -> Watch:
        watch = self._watch
        if poll.queues:
            watch = self._claim_watch
        elif poll.but_submits:
            watch = self._end_watch
        if watch is None:
            raise Refused(503, "StoreUnavailable", "the server has not begun yet")
        return watch

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await self.begin()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.end()
        await send({"type": "lifespan.shutdown.complete"})

    async def _number(self) -> int:
        return await self._calls.run(self._store.changes)

    async def _number_but_submits(self) -> int:
        # Of a kind of its own, which only a wait tells.
        return await self._calls.run(lambda: self._store.wait_for_change(-1, 0.0, but_submits=True))

    def _own_routes(self) -> list[Route]:
        return [
            Route("POST", ABOUT, EVERYBODY, self._about, None, About, "What this server is."),
            Route(
                *("POST", CHANGES, EVERYBODY, self._poll, Poll, Polled),
                "Wait until the store has changed.",
            ),
            Route(
                "GET", "/healthz", None, self._health, None, dict[str, str], "Whether it answers."
            ),
        ]

    async def _about(self, request: Request, _: Caller, __: Mapping[str, str]) -> Reply:
        return await self._calls.reply(
            request,
            lambda: About(
                server=self.server,
                store=self._store.safe_url,
                largest_value=min(self._store.largest_value, LARGEST_VALUE),
                version=version("lightwork"),
                does_upkeep=self._does_upkeep,
                wakes_workers=True,
            ),
        )

    async def _poll(self, request: Request, caller: Caller, _: Mapping[str, str]) -> Reply:
        poll = decoded(request, Poll)
        check_poll(poll, caller)
        if caller.role in WORKING:
            self._calls.pollers.note(poll.workers)
        watch = self._watch_of(poll)
        if isinstance(watch, ClaimWatch) and poll.lease:
            renewing = self._calls.begin_to_renew(poll.workers, poll.lease)
            polled = await watch.poll(poll, request.gone(), renewing)
        else:
            polled = await watch.poll(poll, request.gone())
        return Reply(200, media.encode(polled, request.media), request.media)

    def _note_submitted(self, jobs: list[NewJob]) -> None:
        if self._claim_watch is not None:
            self._claim_watch.note_submitted(jobs)

    async def _health(self, _: Request, __: Caller, ___: Mapping[str, str]) -> Reply:
        return Reply(200, media.encode({"server": self.server}, media.JSON), media.JSON)

    # --- one request

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        request = Request(
            method=scope["method"],
            # As it was sent: `path` is decoded, and may be another one than was signed.
            path=scope["raw_path"].decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            headers={
                name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
            },
            gone=gone,
        )
        try:
            if self._gate.is_stale(request):
                # All of it is let go by, and nothing of it kept: an answer that comes before is lost
                # with the connection, and who asks would not learn why.
                most, is_kept = self._largest_body, False
            else:
                most, is_kept = self._gate.largest_body(request, self._largest_body), True
            body = await _read(receive, request.headers, most, is_kept=is_kept)
        except Refused as refused:
            # What was not read would be taken for the next request.
            await _send(send, _refusal(request, refused), last=True)
            return
        if body is not None:
            await _send(send, await self._reply(dataclasses.replace(request, body=body)))

    async def _reply(self, request: Request) -> Reply:
        try:
            reply = self._gate.reply_before(request)
            if reply is not None:
                return reply
            route = self.routes.open(request)
            if route is not None:
                return await route.answer(request, ANYBODY, {})
            admitted = self._gate.admit(request)
        except Exception as error:
            return _refusal(request, error)
        try:
            reply = await self._routed(request, admitted.caller)
        except Exception as error:
            reply = _refusal(request, error)
        return admitted.seal(reply)

    async def _routed(self, request: Request, caller: Caller) -> Reply:
        route, found = self.routes.find(request)
        if not route.allows(caller):
            raise Refused(
                403,
                "AuthError",
                f"a key of role {caller.role} may not ask this: {request.method} {request.path}",
            )
        return await route.answer(request, caller, found)


async def _read(
    receive: Receive, headers: Mapping[str, str], most: int, *, is_kept: bool
) -> bytes | None:
    """Return the body, or b"" where it is not to be kept; None: who sent it is gone.

    Raises:
        Refused: It is too large.
    """
    announced = headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > _MOST_DIGITS or int(announced) > most):
        raise _too_large(most)
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        size += len(part)
        if is_kept:
            parts.append(part)
        if size > most:
            raise _too_large(most)
        if not message.get("more_body", False):
            return b"".join(parts)


def _too_large(most: int) -> Refused:
    return Refused(413, "UsageError", f"the body of a request has up to {most:,} bytes")


async def _send(send: Send, reply: Reply, *, last: bool = False) -> None:
    headers = {
        "content-type": reply.media,
        "content-length": str(len(reply.body)),
        **reply.headers,
        **({"connection": "close"} if last else {}),
    }
    await send(
        {
            "type": "http.response.start",
            "status": reply.status,
            "headers": [
                (name.encode(), value.encode("latin-1")) for name, value in headers.items()
            ],
        }
    )
    await send({"type": "http.response.body", "body": reply.body})


def _refusal(request: Request, error: Exception) -> Reply:
    status, failure = failure_of(error)
    return Reply(status, media.encode(failure, request.media), request.media)
