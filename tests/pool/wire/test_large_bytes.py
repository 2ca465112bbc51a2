"""Large bytes, which pickle itself never leaves out of band, as arguments and results."""

import operator
from collections.abc import Iterator

import big
import pytest

from lightwork.pool.process.executor import ProcessExecutor
from lightwork.pool.wire.pickling import dump_arguments, dump_result, load_apart

pytestmark = pytest.mark.process

WAIT = 30
LARGE = 1 << 17


class Text(bytes):
    """Not plain bytes: travels as its class says."""


@pytest.fixture
def pool() -> Iterator[ProcessExecutor]:
    with ProcessExecutor(1) as executor:
        yield executor


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_they_travel_apart_and_arrive_as_what_they_were(kind: type[bytes | bytearray]) -> None:
    data, apart = dump_result(kind(LARGE))

    assert len(data) < 100
    loaded = load_apart([memoryview(data), *apart])
    assert (type(loaded), loaded) == (kind, bytes(LARGE))


def test_small_ones_and_subclasses_stay_in_the_pickle() -> None:
    data, apart = dump_arguments((Text(LARGE), bytes(100)), {"key": bytearray(100)})

    assert len(data) > LARGE
    assert not apart


def test_arguments_arrive_with_their_types(pool: ProcessExecutor) -> None:
    call = pool.submit(big.describe, bytes(LARGE), bytearray(LARGE), 3 * b"x", key=bytes(LARGE))

    assert call.result(WAIT) == [
        ("bytes", LARGE, True),
        ("bytearray", LARGE, False),
        ("bytes", 3, False),
        ("bytes", LARGE, False),
    ]


def test_results_arrive_whole(pool: ProcessExecutor) -> None:
    data = bytes(range(256)) * 1024

    assert pool.submit(operator.mul, data, 1).result(WAIT) == data
    assert pool.submit(bytearray, data).result(WAIT) == bytearray(data)


def test_a_bytearray_can_be_changed_on_either_side(pool: ProcessExecutor) -> None:
    result = pool.submit(operator.iadd, bytearray(LARGE), b"more").result(WAIT)
    result += b"!"

    assert result == bytes(LARGE) + b"more!"


def test_one_bytearray_given_twice_is_one_there(pool: ProcessExecutor) -> None:
    shared = bytearray(LARGE)

    told = pool.submit(big.describe, shared, shared).result(WAIT)

    assert [is_first for _, _, is_first in told] == [True, True]


@pytest.mark.parametrize("size", [100, LARGE])
def test_a_bytearray_that_is_given_twice_is_one_object_in_the_call(
    pool: ProcessExecutor, size: int
) -> None:
    buffer = bytearray(size)

    assert pool.submit(big.change_through, buffer, [buffer]).result(WAIT) == 9
    assert pool.submit(big.change_through, buffer, holder=[buffer]).result(WAIT) == 9
    assert buffer[0] == 0


def test_another_bytearray_with_the_same_bytes_stays_another(pool: ProcessExecutor) -> None:
    call = pool.submit(big.change_through, bytearray(LARGE), [bytearray(LARGE)])

    assert call.result(WAIT) == 0


def test_a_bytearray_travels_apart_from_other_large_arguments() -> None:
    data, apart = dump_arguments((bytearray(b"x" * LARGE), [b"y" * (2 * LARGE)]), {})

    assert len(data) < 2 * LARGE + 1000
    assert [part.nbytes for part in apart] == [LARGE]
