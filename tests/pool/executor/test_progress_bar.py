"""What a map shows while it runs, on a terminal and in a pipe."""

import io
import itertools
from collections.abc import Iterator

import pytest

from lightwork.pool.executor.progress_bar import count_items, show_progress
from lightwork.pool.thread.executor import ThreadExecutor


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def double(number: int) -> int:
    return 2 * number


def test_the_shortest_input_says_how_many_items_there_are() -> None:
    assert count_items([range(10), [1, 2, 3]]) == 3


def test_an_input_of_unknown_length_is_not_guessed() -> None:
    assert count_items([range(10), itertools.count()]) == 0


def test_a_pipe_gets_a_plain_line_at_the_end() -> None:
    stream = io.StringIO()

    results = list(show_progress(iter("abc"), 3, title="letters", stream=stream))

    assert results == ["a", "b", "c"]
    assert stream.getvalue().startswith("letters: 3 of 3 done in ")
    assert "\x1b" not in stream.getvalue()


def test_a_pipe_gets_the_last_line_from_whoever_never_asks_for_more() -> None:
    stream = io.StringIO()

    shown = show_progress(iter("abc"), 3, title="letters", stream=stream)
    pairs = list(zip("xyz", shown, strict=False))

    assert pairs == [("x", "a"), ("y", "b"), ("z", "c")]
    assert stream.getvalue().startswith("letters: 3 of 3 done in ")
    assert next(shown, None) is None
    assert stream.getvalue().count("done in") == 1


def test_whoever_stops_early_gets_no_last_line() -> None:
    stream = io.StringIO()

    shown = show_progress(iter("abc"), 3, title="letters", stream=stream)
    list(zip("x", shown, strict=False))
    shown.close()

    assert stream.getvalue() == ""


def test_an_iterator_is_counted_before_the_map_takes_from_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with ThreadExecutor(1) as executor:
        list(executor.map(double, iter([1, 2, 3]), buffersize=1, progress=True))
        list(executor.starmap(max, iter([(1, 2)] * 3), buffersize=1, progress=True))

    assert [line.split(" done")[0] for line in capsys.readouterr().err.splitlines()] == [
        "double: 3 of 3",
        "max: 3 of 3",
    ]


def test_a_terminal_gets_a_bar() -> None:
    stream = Terminal()

    results = list(show_progress(iter("abc"), 3, title="letters", stream=stream))

    assert results == ["a", "b", "c"]
    assert "3/3" in stream.getvalue()


def test_results_pass_by_one_at_a_time() -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(5):
            taken.append(number)
            yield number

    shown = show_progress(numbers(), 5, title="n", stream=io.StringIO())
    next(shown)

    assert taken == [0]


def test_a_map_shows_its_progress_when_asked_to(capsys: pytest.CaptureFixture[str]) -> None:
    with ThreadExecutor(2) as executor:
        results = list(executor.map(double, [1, 2, 3], progress=True))

    assert results == [2, 4, 6]
    assert "double: 3 of 3 done" in capsys.readouterr().err
