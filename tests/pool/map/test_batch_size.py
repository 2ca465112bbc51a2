"""How many items of a map travel together, and how far ahead it runs: decisions."""

import sys
import types
from collections.abc import Iterator

import pytest

from lightwork.pool.map import batch_size

# Decisions


def test_short_chunks_grow_by_steps() -> None:
    assert batch_size.next_size(1, 1, 1e-6) == batch_size.GROWTH


def test_growth_stops_at_the_aim() -> None:
    assert batch_size.next_size(4, 4, 0.010) == 12


def test_growth_stops_at_the_largest_chunk() -> None:
    assert batch_size.next_size(8192, 8192, 1e-9) == batch_size.MAX_CHUNK


def test_chunks_of_a_good_length_stay() -> None:
    assert batch_size.next_size(100, 100, 0.030) == 100


def test_long_chunks_shrink_at_once() -> None:
    assert batch_size.next_size(1000, 1000, 3.0) == 10


def test_a_single_slow_item_is_the_smallest_chunk() -> None:
    assert batch_size.next_size(1, 1, 60.0) == 1


def test_small_chunks_of_before_do_not_undo_growth() -> None:
    assert batch_size.next_size(256, 1, 1e-6) == 256


def test_long_small_chunks_of_before_undo_growth() -> None:
    assert batch_size.next_size(256, 16, 1.6) == 1


def limit(size: int, seconds: float = 0.001, **changes: int) -> int:
    values = {"slots": 2, "window": 10**9, "item_bytes": 8, "remaining": sys.maxsize, **changes}
    return batch_size.limit_size(size, item_seconds=seconds, **values)


def test_a_chunk_is_small_in_bytes() -> None:
    assert limit(1000, item_bytes=1 << 18) == 4


def test_a_chunk_of_huge_items_has_one() -> None:
    assert limit(1000, item_bytes=1 << 30) == 1


def test_two_chunks_per_slot_fit_into_the_window() -> None:
    assert limit(1000, window=100) == 25


def test_the_last_chunks_are_smaller() -> None:
    assert limit(1000, remaining=10) == 3


def test_no_chunk_of_short_items_is_small_for_that() -> None:
    assert limit(1000, 1e-6, remaining=100) == 100
    assert limit(1000, 10e-6, remaining=100) == 48


def test_an_unlimited_chunk_keeps_its_size() -> None:
    assert limit(1000) == 1000


@pytest.mark.parametrize("size", [1, 10, 64, 10_000])
def test_at_least_two_calls_per_slot_are_in_flight(size: int) -> None:
    assert batch_size.calls_in_flight(3, size) >= 6


def test_short_calls_of_a_given_size_are_many() -> None:
    assert batch_size.calls_in_flight(2, 100, 1e-6) == 40
    assert batch_size.calls_in_flight(2, 100, 1e-9) == 128
    assert batch_size.calls_in_flight(2, 100, 1.0) == 4


@pytest.mark.parametrize(("length", "size"), [(0, 1), (8, 1), (9, 2), (100, 13), (10**6, 32)])
def test_items_that_were_not_measured_go_in_four_bundles_a_slot(length: int, size: int) -> None:
    assert batch_size.first_bundle(length, 2) == size


def test_take_waits_for_room_while_something_is_under_way() -> None:
    assert batch_size.take_count(10, 9, is_idle=False) == 0


def test_take_uses_little_room_when_idle() -> None:
    assert batch_size.take_count(10, 9, is_idle=True) == 9


@pytest.mark.parametrize(
    ("value", "least"), [(bytes(1000), 1000), ([bytes(1000)] * 50, 50_000), ({1: "x" * 99}, 99)]
)
def test_sizes_of_nested_values_are_seen(value: object, least: int) -> None:
    assert least <= batch_size.approximate_size(value) < 3 * least + 1000


def test_slow_items_keep_chunks_small() -> None:
    # 25 ms per item by the clock of the chunk.
    size = 1
    for _ in range(10):
        size = batch_size.next_size(size, size, size * 0.025)

    assert size == 1


def test_arrays_of_a_library_are_as_large_as_their_data(monkeypatch: pytest.MonkeyPatch) -> None:
    class Array:
        nbytes = 8000

    assert batch_size.approximate_size(Array()) < 1000

    # As if it were numpy's, which these tests do without.
    monkeypatch.setitem(sys.modules, "numpy", types.SimpleNamespace(ndarray=Array))

    assert batch_size.approximate_size(Array()) == 8000
    assert 80_000 <= batch_size.approximate_size([Array()] * 10) < 81_000
    assert batch_size.approximate_size(memoryview(bytes(5000))) == 5000


def test_a_value_of_the_user_is_not_asked_for_its_size() -> None:
    class Asked(list[int]):
        def __getattribute__(self, name: str) -> object:
            raise SystemExit(name)

        def __sizeof__(self) -> int:
            raise SystemExit

        def __len__(self) -> int:
            raise SystemExit

        def __iter__(self) -> Iterator[int]:
            raise SystemExit

    assert 0 < batch_size.approximate_size(Asked()) < 1000
    assert batch_size.approximate_size([Asked()]) < 1000


def test_a_view_that_was_released_has_some_size() -> None:
    view = memoryview(bytes(5000))
    view.release()

    assert 0 < batch_size.approximate_size(view) < 1000
