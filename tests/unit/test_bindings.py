"""Which globals of the main program arrive anew in a child."""

import gc
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lightwork.by_value.bindings import Sent, Taken, digest_of_data


class Thing:
    size = 1


def token_of(sent: Sent, value: object) -> int:
    return sent.of_globals({"name": value})["name"]


VALUES = [
    None,
    1,
    10**20,
    0.0,
    "text",
    b"x" * 1000,
    (1, [2]),
    [1],
    {1: {2}},
    Thing(),
    Thing,
    len,
    gc,
    threading.Lock(),
    lambda: 1,
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_what_stays_the_same_keeps_its_token(value: object) -> None:
    sent = Sent()
    epoch = sent.epoch

    assert token_of(sent, value) == token_of(sent, value)
    assert sent.epoch is epoch


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 2),
        (1, True),
        (0.0, -0.0),
        ("a", b"a"),
        ([1], [1]),
        (lambda: 1, lambda: 1),
        (Thing(), Thing()),
        (None, Thing),
    ],
)
def test_another_value_gets_a_later_token(one: object, other: object) -> None:
    sent = Sent()
    epoch = sent.epoch

    assert token_of(sent, one) < token_of(sent, other) < token_of(sent, one)
    assert sent.epoch is not epoch


def fill(values: list[Any]) -> None:
    values.append(1)


def replace_in(values: list[Any]) -> None:
    values[0] = lambda: 1


def grow(values: list[Any]) -> None:
    values[1].size = 2


@pytest.mark.parametrize("change", [fill, replace_in, grow])
def test_a_value_that_was_changed_in_place_gets_a_later_token(
    change: Callable[[list[Any]], None],
) -> None:
    sent, value = Sent(), [lambda: 1, Thing()]
    before = token_of(sent, value)

    change(value)

    assert token_of(sent, value) > before


def test_an_attribute_of_a_class_has_a_token_of_its_own() -> None:
    sent, cls = Sent(), type("Made", (), {"one": 1, "two": [2]})
    names = {"one": 1, "two": [2]}
    before = sent.of_class(cls, names)
    cls.one = 3  # type: ignore[attr-defined]
    after = sent.of_class(cls, names)

    assert after["one"] > before["one"]
    assert after["two"] == before["two"]


def test_threads_that_send_at_once_send_one_token() -> None:
    sent, value = Sent(), [1]
    together = threading.Barrier(8)

    def send(_: int) -> int:
        together.wait(30)
        return token_of(sent, value)

    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(send, range(8)))

    assert len(tokens) == 1


def test_what_was_sent_is_not_kept_alive() -> None:
    sent, thing = Sent(), Thing()
    alive = weakref.ref(thing)
    sent.of_globals({"name": thing, "names": [thing]})

    del thing
    gc.collect()

    assert alive() is None


def test_what_arrives_late_takes_nothing_back() -> None:
    taken = Taken()

    assert taken.fresh_globals({"a": "new", "b": 1}, {"a": 5, "b": 1}) == {"a": "new", "b": 1}
    assert taken.fresh_globals({"a": "old", "b": 2}, {"a": 4, "b": 2}) == {"b": 2}
    assert taken.fresh_globals({"a": "new"}, {"a": 5}) == {}


def test_a_class_of_this_process_is_left_alone() -> None:
    taken, values = Taken(), {"size": 2}
    made = type("Made", (), {})
    taken.begin_class(made)

    assert taken.fresh_attributes(Thing, values, {"size": 9}) == {}
    assert taken.fresh_attributes(Thing, values, None) == {}
    assert taken.fresh_attributes(made, values, None) == values
    assert taken.fresh_attributes(made, values, None) == {}


@pytest.mark.parametrize("value", [[Thing()], {1: len}, [Thing]])
def test_data_with_anything_else_in_it_has_no_digest(value: object) -> None:
    assert digest_of_data(value) == b""


def test_data_that_holds_the_same_has_the_same_digest() -> None:
    assert digest_of_data([1, {"a": 2}]) == digest_of_data([1, {"a": 2}])
    assert digest_of_data([1, {"a": 2}]) != digest_of_data([1, {"a": 3}])
