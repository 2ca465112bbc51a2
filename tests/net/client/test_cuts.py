"""Answers that are cut, byte by byte: each is a connection that broke, wherever that was."""

import uuid

import pytest

from lightwork.errors import StoreUnavailable
from lightwork.net.client.client import ServerStore
from net.client.scripted import ABOUT, NONE, Heard, scripted

WORKER = uuid.uuid4()
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: x\r\ncontent-length: %d\r\n\r\n%s" % (len(NONE), NONE)


@pytest.mark.parametrize("size", range(len(WHOLE)))
def test_an_answer_that_is_cut_is_asked_for_again_under_its_id(size: int) -> None:
    lines: list[str] = []

    def script(heard: Heard) -> None:
        lines.append(heard.request())
        if heard.number == 0:
            heard.answer(ABOUT)
            lines.append(heard.request())
            heard.raw.sendall(WHOLE[:size])
            return
        heard.answer(NONE)
        heard.request()

    with scripted(script) as url, ServerStore(url) as store:
        store.sign_off(WORKER)

    _, first, again = lines
    assert f"{first.split()[1]}&first=server-1 " in again


def test_what_is_cut_twice_within_its_head_is_unavailable() -> None:
    def script(heard: Heard) -> None:
        heard.request()
        if heard.number == 0:
            heard.answer(ABOUT)
            heard.request()
        heard.raw.sendall(WHOLE[:30])

    with (
        scripted(script) as url,
        ServerStore(url) as store,
        pytest.raises(StoreUnavailable, match="may have been done"),
    ):
        store.sign_off(WORKER)
