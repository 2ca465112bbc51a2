"""Several items of a map that run as one call."""

import pytest

from lightwork.errors import RemoteError
from lightwork.pool.map.batcher import unpack_failure
from lightwork.pool.map.chunk import ItemFailure, run_chunk, run_star_chunk

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
