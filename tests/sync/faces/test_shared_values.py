"""Value, Array and Dict, at every reach."""

import ctypes
import gc

import pytest

import lightwork as lw
from sync.together import together


@pytest.mark.parametrize(
    ("typecode", "initial", "new"),
    [("i", 5, -6), ("d", 0.5, 1e300), ("c", b"x", b"y"), ("u", "x", "ü"), (ctypes.c_ubyte, 1, 255)],
)
def test_a_value_is_what_was_written(
    where: str, typecode: str, initial: object, new: object
) -> None:
    value = lw.Value(typecode, initial, where=where)

    assert value.value == initial
    value.value = new
    assert value.value == new


def test_without_an_initial_one_a_value_is_zero(where: str) -> None:
    assert lw.Value("q", where=where).value == 0


def test_what_is_no_type_is_refused(where: str) -> None:
    with pytest.raises(lw.UsageError, match="no simple type"):
        lw.Value("x", where=where)
    with pytest.raises(lw.UsageError, match="no simple type"):
        lw.Array(list, 3, where=where)


def test_under_its_lock_a_value_is_counted_rightly(where: str) -> None:
    value = lw.Value("i", where=where)

    def count(_: int) -> None:
        for _ in range(20):
            with value.get_lock():
                value.value += 1

    together(4, count)

    assert value.value == 80


def test_without_a_lock_a_value_is_compared_and_set(where: str) -> None:
    value = lw.Value("i", lock=False, where=where)

    def count(_: int) -> None:
        for _ in range(10):
            while not value.compare_and_set(seen := value.value, seen + 1):
                pass

    together(4, count)

    assert value.value == 40
    with pytest.raises(lw.UsageError, match="lock=False"):
        value.get_lock()


def test_what_was_made_without_a_lock_has_none(where: str) -> None:
    value = lw.Value("i", lock=False, where=where)

    assert not hasattr(value, "get_lock")
    assert not hasattr(value, "get_obj")


def test_the_object_of_ctypes_lies_in_the_memory_of_processes_alone(where: str) -> None:
    value, array = lw.Value("i", 1, where=where), lw.Array("i", [1, 2, 3], where=where)
    if where != "processes":
        with pytest.raises(lw.UsageError, match="lies in no memory"):
            value.get_obj()
        return

    seen, row = value.get_obj(), array.get_obj()
    seen.value += 1
    row[1] = 20
    array[2] = 30

    assert (value.value, list(row), list(array)) == (2, [1, 20, 30], [1, 20, 30])


def test_who_has_the_object_of_ctypes_has_its_memory() -> None:
    seen = lw.Value("q", 7).get_obj()
    gc.collect()

    # What is dropped is given to the next who asks.
    others = [lw.Value("q", number) for number in range(10)]

    assert seen.value == 7
    assert [other.value for other in others] == [*range(10)]


def test_a_lock_may_guard_several(where: str) -> None:
    lock = lw.RLock(where=where)
    value, array = lw.Value("i", lock=lock, where=where), lw.Array("i", 2, lock=lock, where=where)

    with lock:
        value.value = 1
        array[0] = 1

    assert value.get_lock() is array.get_lock() is lock


def test_an_array_is_a_row_of_values(where: str) -> None:
    array = lw.Array("i", [1, 2, 3, 4], where=where)

    array[1] = 20
    array[-1] = 40
    array[0:1] = [10]
    array[::2] = [11, 33]

    assert list(array) == [11, 20, 33, 40]
    assert array[1:3] == [20, 33]
    assert len(array) == 4
    with pytest.raises(IndexError):
        array[4]
    with pytest.raises(ValueError, match="2 items"):
        array[:2] = [1, 2, 3]


def test_an_array_of_a_size_is_zero(where: str) -> None:
    assert list(lw.Array("d", 3, where=where)) == [0.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="negative"):
        lw.Array("d", -1, where=where)


def test_an_array_of_characters_is_a_text(where: str) -> None:
    array = lw.Array("c", 5, where=where)

    array.value = b"abc"

    assert array.value == b"abc"
    assert array.raw == b"abc\0\0"
    array.raw = b"12345"
    assert array[:] == b"12345"


def test_items_of_an_array_are_compared_and_set(where: str) -> None:
    array = lw.Array("i", 2, where=where)

    assert array.compare_and_set(1, 0, 5)
    assert not array.compare_and_set(1, 0, 6)

    assert list(array) == [0, 5]


def test_a_dict_is_a_dict(where: str) -> None:
    first: dict[object, object] = {"b": 1, "a": [2]}
    d = lw.Dict(first, where=where)
    d[3] = None
    d["b"] = "new"

    assert list(d) == ["b", "a", 3]
    assert d == {"b": "new", "a": [2], 3: None}
    assert list(d.values()) == ["new", [2], None]
    assert (len(d), "a" in d, "c" in d, d.get("c", 0)) == (3, True, False, 0)
    assert d.popitem() == (3, None)
    del d["a"]
    assert d.copy() == {"b": "new"}
    with pytest.raises(KeyError):
        d["a"]
    with pytest.raises(KeyError):
        del d["a"]
    d.clear()
    assert not d
    with pytest.raises(KeyError):
        d.popitem()


def test_a_missing_key_is_made_or_taken_in_one_step(where: str) -> None:
    d: lw.Dict[str, int] = lw.Dict(where=where)

    made = together(4, lambda number: d.setdefault("x", number))
    taken = together(4, lambda _: d.pop("x", None))

    assert len(set(made)) == 1
    assert sorted(taken, key=str) == sorted([made[0], None, None, None], key=str)
    with pytest.raises(KeyError):
        d.pop("x")


def test_entries_are_compared_and_set(where: str) -> None:
    d = lw.Dict({"x": 0}, where=where)

    def count(_: int) -> None:
        for _ in range(10):
            while not d.compare_and_set("x", seen := d["x"], seen + 1):
                pass

    together(3, count)

    assert d["x"] == 30
    assert not d.compare_and_set("y", 0, 1)


def test_under_its_lock_more_than_one_step_is_whole(where: str) -> None:
    d = lw.Dict({"x": 0}, where=where)

    def count(_: int) -> None:
        for _ in range(10):
            with d.get_lock():
                d["x"] += 1

    together(3, count)

    assert d["x"] == 30


@pytest.mark.parametrize("key", ["ü", b"\0", -1, 2.5, None, True, (1, ("a", None))])
def test_keys_come_back_as_they_went(where: str, key: object) -> None:
    d = lw.Dict({key: 1}, where=where)

    assert list(d) == [key]
    assert d[key] == 1


@pytest.mark.parametrize("key", [[], float("nan"), float("inf"), object(), (1, [])])
def test_what_is_no_key_is_refused(where: str, key: object) -> None:
    d: lw.Dict[object, int] = lw.Dict(where=where)

    with pytest.raises(lw.UsageError, match="no key of a Dict"):
        d[key] = 1
