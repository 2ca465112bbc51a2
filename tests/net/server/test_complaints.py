"""What a server logs of requests that are none."""

import logging
import socket
from urllib.parse import urlsplit

import pytest

from lightwork.net.server.complaints import LOGGER, Complaints


def send_nonsense(url: str) -> bytes:
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=30) as connection:
        connection.sendall(b"no request\r\n\r\n")
        return connection.recv(1000)


def test_requests_that_are_none_are_told_once_in_a_while(
    url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other servers of this process have told of some, or have yet to.
    installed = [one for one in LOGGER.filters if isinstance(one, Complaints)]
    assert installed
    monkeypatch.setattr(LOGGER, "filters", [installed[-1]])
    monkeypatch.setattr(installed[-1], "_count", 0)
    monkeypatch.setattr(installed[-1], "_tell_at", 0.0)

    with caplog.at_level(logging.WARNING):
        answers = [send_nonsense(url) for _ in range(5)]

    told = [one.getMessage() for one in caplog.records if "nvalid" in one.getMessage()]
    assert [b"400" in answer for answer in answers] == [True] * 5
    assert [line.partition(" last=")[0] for line in told] == ["requests_invalid requests=1"]


def complaint(module: str = "httptools_impl", level: int = logging.WARNING) -> logging.LogRecord:
    place = f"/uvicorn/{module}.py"
    return logging.LogRecord("uvicorn.error", level, place, 1, "Invalid request", None, None)


def test_the_next_line_says_how_many_there_were() -> None:
    complaints = Complaints(seconds=60.0)
    passed = [complaints.filter(complaint()) for _ in range(4)]
    complaints._tell_at = 0.0
    last = complaint()

    assert (passed, complaints.filter(last)) == ([True, False, False, False], True)
    assert last.getMessage() == "requests_invalid requests=4 last=Invalid request"


def test_what_else_is_logged_passes() -> None:
    complaints = Complaints(seconds=60.0)
    complaints.filter(complaint())

    assert complaints.filter(complaint("server"))
    assert complaints.filter(complaint(level=logging.ERROR))
