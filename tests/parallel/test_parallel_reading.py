"""Inputs are taken in a thread, never far ahead."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from lightwork.errors import UsageError
from lightwork.parallel.jobs import MapJob
from lightwork.parallel.reading import InputOver, Reading, open_blocks

Told = SimpleQueue[MapJob | InputOver]


def jobs(taken: list[int]) -> Iterator[MapJob]:
    for seq in itertools.count(1):
        taken.append(seq)
        yield MapJob(seq, ())


def test_no_more_is_taken_than_the_window_and_what_was_released() -> None:
    told, taken = Told(), list[int]()
    reading = Reading(jobs(taken), told.put, 3)
    reading.start()
    for _ in range(3):
        told.get(timeout=30)

    reading.release()
    told.get(timeout=30)
    reading.stop()

    assert isinstance(told.get(timeout=30), InputOver)
    assert taken == [1, 2, 3, 4]


def test_the_end_is_told_once_and_last() -> None:
    told = Told()

    Reading(iter([MapJob(1, ())]), told.put, 3).start()

    assert told.get(timeout=30) == MapJob(1, ())
    assert told.get(timeout=30) == InputOver()
    assert told.empty()


def test_an_error_of_the_input_is_told() -> None:
    def broken() -> Iterator[MapJob]:
        yield MapJob(1, ())
        raise UsageError("no input")

    told = Told()
    Reading(broken(), told.put, 3).start()
    told.get(timeout=30)

    over = told.get(timeout=30)

    assert isinstance(over, InputOver)
    assert isinstance(over.error, UsageError)


def test_a_file_is_opened_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * 100_000)

    blocks = open_blocks(str(path))
    path.unlink()

    assert b"".join(blocks) == b"x" * 100_000


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="no-such-file cannot be read"):
        open_blocks("no-such-file")
