"""Calls: the methods of a store as requests to its server.

What changes something has an id, so that the channel may send it twice; see wire/methods.py. The
server that it was sent to first is named when it is sent again: another one (it was restarted)
cannot know whether it was done, and says so rather than do it perhaps twice. Jobs have ids of their own: a
submit or a cancel that another server is asked anew finds what was done, as the contract says.

What a program asks waits for a server that is away, as in a restart. A worker's calls do not: its loop has other
things to do meanwhile, and asks again by itself.
"""

import asyncio
import contextlib
import ssl
import threading
import uuid
from typing import Any, Final

import msgspec

from lightwork.clock import call_seconds_left
from lightwork.errors import AuthError, StoreError, StoreUnavailable, UsageError
from lightwork.net.client.address import Address
from lightwork.net.client.channel import UNKNOWN, Channel
from lightwork.net.client.connection import Answer
from lightwork.net.client.patience import LOOP_SECONDS, RESTART_SECONDS
from lightwork.net.client.seal import Seal
from lightwork.net.wire import media
from lightwork.net.wire.about import (
    ABOUT,
    CALL,
    CHANGES,
    FIRST,
    LARGEST_BODY,
    About,
    Poll,
    Polled,
)
from lightwork.net.wire.failures import Failure, error_of
from lightwork.net.wire.methods import METHODS, Method
from lightwork.net.wire.shapes import shape_of

# What a database may take for a long transaction; a broken connection is noticed before.
CALL_SECONDS: Final = 60.0
HEARTBEAT_SECONDS: Final = 10.0
# For an answer, beside the time that the server was asked to wait.
_ANSWER_SECONDS: Final = 10.0
_HURRY_SECONDS: Final = 1.0
# Of what has no time left: it fails by that, not by a number that is none.
_SHORTEST_SECONDS: Final = 0.001
_HEADERS: Final = {"Content-Type": media.MSGPACK, "Accept": media.MSGPACK}
_BUSY: Final = (502, 503, 504)
# Of an answer that cannot be read.
_SHOWN: Final = 40


class Calls:
    """Asks one server; any thread may call."""

    def __init__(self, address: Address, tls: ssl.SSLContext | None, seal: Seal) -> None:
        self.address = address
        self._seal = seal
        self._calls = Channel(address, tls, seal)
        self._heartbeat = Channel(address, tls, seal)
        self._polls = Channel(address, tls, seal)
        self._is_hurried = False
        # Another server answers than the one that has told about itself.
        self._is_other = False
        try:
            self.about = self._ask_about()
        except BaseException:
            self.close()
            raise

    def call(self, name: str, given: dict[str, Any]) -> Any:
        """Call a method with what was given to it, by name; return what it returns.

        Raises:
            StoreUnavailable: No answer came; what changes something may have been done.
            Error: What the server's store has raised.
        """
        method = METHODS[name]
        try:
            return self._call_once(method, given)
        except StoreUnavailable as error:
            # Of a server that was started anew while it was asked. The ids in it say what was done.
            if not (method.is_known_by_ids and "server" in vars(error)):
                raise
        return self._call_once(method, given)

    def poll(self, poll: Poll) -> Polled:
        """Ask for the store's number; returns when it is news, or the time is up."""
        body = media.encode(poll, media.MSGPACK)
        channel = self._polls if poll.wait else self._calls
        answer = self._exchange(channel, CHANGES, "", body, poll.wait + _ANSWER_SECONDS)
        polled: Polled = self._decoded(answer, Polled)
        return polled

    def note_server(self, server: str) -> None:
        """Note which server it is now."""
        if server != self.about.server:
            self.about = msgspec.structs.replace(self.about, server=server)
            self.note_other()

    def note_other(self) -> None:
        """Note that it is another one, which has to say what it is."""
        self._is_other = True

    def about_now(self) -> About:
        """Return what the server says of itself that answers now.

        Raises:
            StoreUnavailable: It is another one than before, and does not answer.
        """
        if self._is_other:
            # First: it may be yet another one by the time it has answered.
            self._is_other = False
            try:
                self.about = self._ask_about()
            except BaseException:
                self._is_other = True
                raise
        return self.about

    def hurry(self) -> None:
        """Let no call take longer than a second any more, those under way included."""
        self._is_hurried = True
        channels = (self._calls, self._heartbeat)
        busy = [(channel, channel.busy()) for channel in channels]

        def cut() -> None:
            for channel, connections in busy:
                channel.hurry()
                channel.cut(connections)

        timer = threading.Timer(_HURRY_SECONDS, cut)
        timer.daemon = True
        timer.start()

    def be_forked(self) -> None:
        """Prove who we are anew in a forked child."""
        self._seal.be_new()

    def close(self) -> None:
        """Let go of all connections; idempotent."""
        self._polls.abort()
        self._calls.close()
        self._heartbeat.close()

    def _call_once(self, method: Method, given: dict[str, Any]) -> Any:
        shape = shape_of(method.name)
        body = self._encoded(method.name, shape.request_of(given))
        query = "" if method.is_safe else f"{CALL}={uuid.uuid4().hex}"
        answer = self._exchange(
            self._heartbeat if method.is_urgent else self._calls,
            method.path,
            query,
            body,
            min(
                HEARTBEAT_SECONDS if method.is_urgent else CALL_SECONDS,
                max(call_seconds_left(), _SHORTEST_SECONDS),
            ),
            patience=_patience() if method.is_patient else 0.0,
        )
        return shape.result_of(self._decoded(answer, shape.result), given)

    def _ask_about(self) -> About:
        answer = self._exchange(self._calls, ABOUT, "", b"", _ANSWER_SECONDS)
        about: About = self._decoded(answer, About)
        return about

    def _exchange(
        self,
        channel: Channel,
        path: str,
        query: str,
        body: bytes,
        seconds: float,
        *,
        patience: float = 0.0,
    ) -> Answer:
        def again(query: str) -> str:
            if self._is_hurried:
                raise StoreUnavailable(f"server {self.address.url} has not answered in a hurry")
            return f"{query}&{FIRST}={self.about.server}" if query else ""

        if self._is_hurried:
            seconds = min(seconds, _HURRY_SECONDS)
        return channel.exchange(
            *(path, query, _HEADERS, body), seconds=seconds, patience=patience, on_repeat=again
        )

    def _encoded(self, name: str, request: msgspec.Struct) -> bytes:
        try:
            body = media.encode(request, media.MSGPACK)
        except (TypeError, ValueError, OverflowError) as error:
            raise UsageError(f"{name}: what was given cannot be sent: {error}") from error
        if len(body) > LARGEST_BODY:
            raise UsageError(
                f"{name}: {len(body):,} bytes are more than a server takes at once "
                f"({LARGEST_BODY:,}); submit fewer jobs at a time, or keep large values elsewhere"
            )
        return body

    def _decoded(self, answer: Answer, kind: Any) -> Any:
        if answer.status == 200:
            with contextlib.suppress(msgspec.DecodeError):
                return media.decode(answer.body, kind, media.MSGPACK)
            raise StoreError(
                f"server {self.address.url} says what this release does not understand ({len(answer.body)} bytes: "
                f"{answer.body[:_SHOWN]!r}); use the same release of lightwork at both ends"
            )
        if answer.status == UNKNOWN:
            raise AuthError(
                f"server {self.address.url} asks for a key: set LIGHTWORK_AUTHKEY_FILE=FILE for any "
                "command or program, or give authkey= in a program, --authkey-file FILE to a worker"
            )
        try:
            failure = media.decode(answer.body, Failure, media.MSGPACK)
        except msgspec.DecodeError:
            kind = StoreUnavailable if answer.status in _BUSY else StoreError
            raise kind(
                f"{self.address.url} answers {answer.status}, and not as lightwork does; is it the "
                "address of `lightwork serve`?"
            ) from None
        if server := failure.fields.get("server"):
            self.note_server(str(server))
        raise error_of(failure)


def _patience() -> float:
    """Return how long the thread that asks may wait for a server that is away."""
    return RESTART_SECONDS if asyncio._get_running_loop() is None else LOOP_SECONDS
