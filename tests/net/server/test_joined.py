"""What uvicorn writes of an answer, piece by piece, goes out as one."""

import asyncio
from collections.abc import Callable
from typing import cast

from lightwork.net.server.connection import Joined


class Written:
    """Passes as a transport: knows what was written to it, and when it was closed."""

    def __init__(self) -> None:
        self.said: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.said.append(data)

    def close(self) -> None:
        self.said.append(b"closed")

    def is_closing(self) -> bool:
        return b"closed" in self.said


def said(act: Callable[[Joined], None]) -> list[bytes]:
    """Return what has gone out after one turn of the loop."""

    async def turn() -> list[bytes]:
        written = Written()
        act(Joined(cast("asyncio.Transport", written), asyncio.get_running_loop()))
        await asyncio.sleep(0)
        return written.said

    return asyncio.run(turn())


def test_head_and_body_are_one_write() -> None:
    def answer(joined: Joined) -> None:
        joined.write(b"head ")
        joined.write(b"body")

    assert said(answer) == [b"head body"]


def test_what_was_written_goes_out_before_the_end_and_nothing_after() -> None:
    def answer(joined: Joined) -> None:
        joined.write(b"refused")
        joined.close()
        joined.write(b"too late")

    assert said(answer) == [b"refused", b"closed"]


def test_much_is_not_held() -> None:
    large = bytes(1 << 20)
    sent: list[bool] = []

    def answer(joined: Joined) -> None:
        joined.write(b"head")
        joined.write(large)
        sent.append(not joined._unsent)

    assert said(answer) == [b"head" + large]
    assert sent == [True]


def test_all_else_is_the_transports_own() -> None:
    def answer(joined: Joined) -> None:
        joined.close()
        assert joined.is_closing()

    assert said(answer) == [b"closed"]
