"""A server that may open no more files."""

import asyncio
import errno
import logging
import socket

import pytest

from lightwork.net.server.app import App
from lightwork.net.server.serve import Server, listen
from lightwork.store.contract import Store


def test_that_there_are_too_many_connections_is_told_once(
    database: Store, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[int] = []

    async def meet_them(server: Server) -> None:
        await server.startup([listener])
        loop = asyncio.get_running_loop()
        for number in (errno.EMFILE, errno.ENFILE, errno.EMFILE):
            loop.call_exception_handler(
                {"message": "socket.accept()", "exception": OSError(number, "too many")}
            )
        loop.call_exception_handler({"message": "another", "exception": OSError(errno.EIO, "x")})
        heard.append(1)
        await server.shutdown([listener])

    listener: socket.socket = listen("127.0.0.1", 0)
    server = Server(App(database), listener)
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    with caplog.at_level(logging.WARNING):
        asyncio.run(meet_them(server))

    told = [one for one in caplog.records if "server_full" in one.getMessage()]
    assert (len(told), heard) == (1, [1])
    assert any("another" in one.getMessage() for one in caplog.records)
