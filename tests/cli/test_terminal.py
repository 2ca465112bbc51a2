"""On a terminal: colours, unless NO_COLOR; never more than the text needs."""

import os
import pty
import re
import signal
from pathlib import Path

import pytest

from cli.jobs_made import Made
from cli.runs import start
from lightwork.model import ErrorInfo
from waiting import wait_until

COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]m")


def shown(*words: str, folder: Path, columns: int = 120, **environment: str) -> str:
    """Return what the program writes to a terminal of this width."""
    wide = {"COLUMNS": str(columns)} | environment
    ours, theirs = pty.openpty()
    with start(*words, folder=folder, stdout=theirs, environment=wide) as process:
        os.close(theirs)
        text = read_all(ours)
        process.wait(timeout=60)
    os.close(ours)
    return text


def logged(*words: str, folder: Path, **environment: str) -> str:
    """Return what the program tells a terminal beside its answer."""
    ours, theirs = pty.openpty()
    with start(*words, folder=folder, stderr=theirs, environment=environment) as process:
        os.close(theirs)
        text = read_all(ours)
        process.wait(timeout=60)
    os.close(ours)
    return text


def read_all(terminal: int) -> str:
    parts: list[bytes] = []
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # EIO: the last program has closed it.
            part = b""
        if not part:
            return b"".join(parts).decode()
        parts.append(part)


@pytest.mark.parametrize("verb", ["jobs", "status"])
def test_a_terminal_has_colours(folder: Path, made: Made, verb: str) -> None:
    made.failed()

    text = shown(verb, folder=folder)

    assert COLOUR.search(text)


@pytest.mark.parametrize("verb", ["jobs", "status"])
def test_no_color_is_obeyed(folder: Path, made: Made, verb: str) -> None:
    made.failed()

    text = shown(verb, folder=folder, NO_COLOR="1")

    assert "failed" in text
    assert not COLOUR.search(text)


@pytest.mark.process
def test_the_log_of_a_worker_has_colours_on_a_terminal(folder: Path, made: Made) -> None:
    made.ready(3)
    words = ("worker", "-m", "script", "--threads", "1", "--burst")

    coloured = logged(*words, folder=folder)

    assert "\x1b[32msucceeded\x1b[0m script:square" in coloured


@pytest.mark.process
def test_the_log_of_a_worker_obeys_no_color(folder: Path, made: Made) -> None:
    made.ready(3)
    words = ("worker", "-m", "script", "--threads", "1", "--burst")

    plain = logged(*words, folder=folder, NO_COLOR="1")

    assert " succeeded script:square" in plain
    assert "\x1b" not in plain


def test_wait_draws_a_line_and_takes_it_away(folder: Path, made: Made) -> None:
    job_id = made.running()

    text = logged("jobs", "wait", str(job_id), "--timeout", "10ms", folder=folder)

    assert "░" * 20 + " running" in text
    assert text.index("running") < text.rindex("\r\x1b[K") < text.index("have not ended")


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_a_long_note_takes_what_is_left_and_pushes_nothing_out(
    folder: Path, made: Made, columns: int
) -> None:
    made.failed(ErrorInfo(type="ValueError", text="a long story " * 100))
    made.failed()

    _, short, long = shown("jobs", folder=folder, columns=columns, NO_COLOR="1").splitlines()

    assert short.startswith(" 2  failed  script:square  ")
    assert long.startswith(" 1  failed  script:square  ")
    assert "ValueError" in long
    assert long.endswith("…")
    assert len(long) == columns


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_watch_draws_on_a_screen_of_its_own_and_leaves_it(
    folder: Path, made: Made, number: signal.Signals
) -> None:
    ours, theirs = pty.openpty()
    with start("status", "--watch", folder=folder, stdout=theirs) as process:
        os.close(theirs)
        text = ""

        def is_drawn() -> bool:
            nonlocal text
            text += os.read(ours, 65536).decode()
            return "health" in text

        wait_until(is_drawn, "the screen is drawn")
        process.send_signal(number)
        text += read_all(ours)
        process.wait(timeout=60)
    os.close(ours)

    assert process.returncode == 0
    assert text.index("\x1b[?1049h") < text.index("health") < text.index("\x1b[?1049l")
