"""A broker that has no descriptor left serves those that it has, and lets others in when some have gone."""

import errno
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightwork.sync.broker import loop as loops
from lightwork.sync.broker.loop import Loop
from lightwork.sync.broker.regions import Regions


class Full:
    """A listening socket whose process has no descriptor left for so many times."""

    def __init__(self, listener: socket.socket, times: int) -> None:
        self.fileno = listener.fileno
        self._listener = listener
        self._times = times
        self.asked = 0

    def accept(self) -> tuple[socket.socket, object]:
        self.asked += 1
        if self.asked <= self._times:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return self._listener.accept()


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
        made.bind(str(tmp_path / "socket"))
        made.listen()
        made.setblocking(False)
        yield made


@pytest.fixture
def regions(tmp_path: Path) -> Iterator[Regions]:
    folder = os.open(tmp_path, os.O_RDONLY)
    made = Regions(folder)
    yield made
    made.close()
    os.close(folder)


def test_it_does_not_ask_again_and_again(
    listener: socket.socket,
    regions: Regions,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(loops, "LINGER", 0.1)
    monkeypatch.setattr(loops, "_TICK", 0.02)
    full = Full(listener, 10**9)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as waiting:
        waiting.connect(listener.getsockname())
        Loop(full, regions).run()  # type: ignore[arg-type]

    # Once a tick; it would have been thousands.
    assert 2 <= full.asked <= 7
    assert capsys.readouterr().err.count("no more connections") == 1


def test_who_waits_comes_in_at_the_next_tick(
    listener: socket.socket, regions: Regions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "_TICK", 0.02)
    loop = Loop(Full(listener, 3), regions)  # type: ignore[arg-type]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as waiting:
        waiting.connect(listener.getsockname())
        thread = threading.Thread(target=loop.run)
        thread.start()
        # It speaks no protocol of ours: whoever was let in is told so by the end of the line.
        waiting.sendall(b"\0" * 64)
        assert waiting.recv(1) == b""
        thread.join()
