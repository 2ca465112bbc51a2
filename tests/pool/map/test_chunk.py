"""Several items of a map that run as one call."""

from functools import partial
from pathlib import Path
from typing import Any

import bundle_calls as items
import calls
import pytest
import scenario_calls

from lightwork.errors import RemoteError
from lightwork.pool.map.batcher import unpack_failure
from lightwork.pool.map.chunk import ItemFailure, run_chunk, run_star_chunk
from lightwork.pool.process.executor import ProcessExecutor
from waiting import wait_until

# Chunks


class Fragile(Exception):  # noqa: N818
    def __init__(self, one: int, two: int) -> None:
        super().__init__(one)
        self.two = two

    def __reduce__(self) -> tuple[type, tuple[int]]:
        return Fragile, (1,)


def test_a_chunk_counts_its_failures_by_position() -> None:
    outcome = run_star_chunk(divmod, [(1, 0), (7, 2), (1, 0)])

    assert outcome.results == [None, (3, 1), None]
    assert sorted(outcome.failures) == [0, 2]


def test_a_chunk_runs_each_item_once_although_some_fail() -> None:
    seen: list[int] = []

    def note(n: int) -> None:
        seen.append(n)
        if n % 2:
            raise ValueError(n)

    run_chunk(note, range(5))

    assert seen == [0, 1, 2, 3, 4]


def test_an_interrupt_is_not_taken_for_a_failed_item() -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_chunk(interrupt, [1])


@pytest.mark.process
def test_an_item_that_raises_an_interrupt_in_a_child_fails_alone(pool: ProcessExecutor) -> None:
    found = list(pool.map(items.interrupted_or_not, range(40), chunksize=20, errors="return"))

    assert [n for n, value in enumerate(found) if value != n] == [5, 25]
    assert {type(found[n]) for n in (5, 25)} == {KeyboardInterrupt}


@pytest.mark.process
def test_a_fork_that_comes_back_from_an_item_of_a_chunk_runs_no_other(
    single: ProcessExecutor, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    given = [(str(here), n, n % 100 == 50) for n in range(600)]

    assert list(single.map(scenario_calls.fork_or_not, given, chunksize=200)) == list(range(600))

    wait_until(lambda: len(here.read_text().splitlines()) >= 6, "every fork has run")
    assert single.submit(calls.double, 2).result() == 4
    assert len(here.read_text().splitlines()) == 6


@pytest.mark.process
@pytest.mark.parametrize("chunksize", [200, "auto"])
def test_a_fork_that_comes_back_from_an_item_of_a_range_runs_no_other(
    single: ProcessExecutor, tmp_path: Path, chunksize: Any
) -> None:
    here = tmp_path / "here"
    fork_some = partial(scenario_calls.fork_or_not_at, str(here))

    assert list(single.map(fork_some, range(600), chunksize=chunksize)) == list(range(600))

    wait_until(lambda: len(here.read_text().splitlines()) >= 6, "every fork has run")
    assert single.submit(calls.double, 2).result() == 4
    assert len(here.read_text().splitlines()) == 6


def travel(error: BaseException) -> BaseException:
    import pickle

    return unpack_failure(pickle.loads(pickle.dumps(ItemFailure(error))))


def test_an_exception_travels_with_its_traceback() -> None:
    outcome = run_chunk(int, ["x"])
    failure = outcome.failures[0]
    assert isinstance(failure, ItemFailure)

    arrived = travel(failure.error)

    assert isinstance(arrived, ValueError)
    assert "Traceback" in str(arrived.__cause__)


def test_an_exception_that_cannot_be_rebuilt_travels_as_text() -> None:
    arrived = travel(Fragile(1, 2))

    assert isinstance(arrived, RemoteError)
    assert arrived.error_type.endswith("Fragile")
