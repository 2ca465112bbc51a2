"""Requests as any program makes them, and apps that are asked without a socket."""

import asyncio
import http.client
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from typing import Any, NamedTuple, TypeVar

from lightwork.net.server.app import App

T = TypeVar("T")


class Got(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: Any


def ask(
    url: str,
    method: str,
    path: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Got:
    """Ask by JSON, as curl would."""
    host = url.removeprefix("http://")
    with closing(http.client.HTTPConnection(host, timeout=30)) as connection:
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body)
        connection.request(
            method, path, data, {"Content-Type": "application/json", **(headers or {})}
        )
        response = connection.getresponse()
        text = response.read()
    is_json = response.headers["content-type"] == "application/json"
    return Got(response.status, dict(response.headers), json.loads(text) if is_json else text)


def living(app: App, what: Callable[[], Awaitable[T]]) -> T:
    """Do something in the event loop in which the app lives."""

    async def run() -> T:
        await app.begin()
        try:
            return await what()
        finally:
            await app.end()

    return asyncio.run(run())
