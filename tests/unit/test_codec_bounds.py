"""Bounds: size and depth hold both ways, and hostile bytes only raise PayloadError."""

import contextlib
import tracemalloc
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightwork.codec import Codec, Subject
from lightwork.errors import PayloadError

KEY = b"0123456789abcdef"
JOB = Subject(uuid.UUID(int=1), "mail:send")
CODEC = Codec()


@dataclass
class Node:
    value: Any
    below: "Node | list[Node] | None" = None


def take(node: Node, *more: Node) -> Node:
    return node


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def nested_dict(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


def nested_nodes(depth: int) -> Node:
    node = Node(1)
    for _ in range(depth - 1):
        node = Node(1, node)
    return node


RICH = (
    Node(
        [1, (2, {3}), Decimal(4), datetime(2026, 1, 1, tzinfo=UTC)], [Node(2**70), Node("\ud800")]
    ),
    Node({"a": b"b", (1,): ...}),
)
RICH_PAYLOAD = CODEC.encode_call(JOB, RICH, {}, fn=take)


@pytest.mark.parametrize("make", [nested, nested_dict])
def test_the_deepest_allowed_value_comes_back(make: Any) -> None:
    value = make(64)

    payload = CODEC.encode_result(JOB, value)

    assert CODEC.decode_result(JOB, payload) == value


@pytest.mark.parametrize("make", [nested, nested_dict])
def test_one_level_more_is_refused_when_encoding(make: Any) -> None:
    with pytest.raises(PayloadError, match="deeper than 64"):
        CODEC.encode_result(JOB, make(65))


@pytest.mark.parametrize("make", [nested, nested_dict])
def test_one_level_more_is_refused_when_decoding(make: Any) -> None:
    payload = Codec(max_depth=65).encode_result(JOB, make(65))

    with pytest.raises(PayloadError, match="deeper than 64"):
        CODEC.decode_result(JOB, payload)


@given(
    st.recursive(
        st.sampled_from([1, 2**70, "\ud800", (), {(): 1}, {1}, datetime(2026, 1, 1, tzinfo=UTC)]),
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=2),
            st.tuples(inner),
            st.fixed_dictionaries({"a": inner}),
            st.builds(lambda value: {(): value}, inner),
            st.builds(Node, inner),
        ),
    ),
    st.integers(0, 9),
)
def test_whatever_may_be_encoded_may_be_decoded(value: Any, max_depth: int) -> None:
    codec = Codec(max_depth=max_depth)
    with contextlib.suppress(PayloadError):
        payload = codec.encode_call(JOB, (Node(value),), {}, fn=take)

        assert codec.decode_call(JOB, payload, take) == ((Node(value),), {})


def test_nested_typed_values_obey_the_depth() -> None:
    with pytest.raises(PayloadError, match="deeper than 64"):
        CODEC.encode_call(JOB, (nested_nodes(40),), {}, fn=take)


@pytest.mark.parametrize("max_depth", range(1, 10))
def test_nested_typed_values_obey_the_depth_when_decoding(max_depth: int) -> None:
    payload = CODEC.encode_call(JOB, (nested_nodes(5),), {}, fn=take)

    with pytest.raises(PayloadError, match=f"deeper than {max_depth} levels"):
        Codec(max_depth=max_depth).decode_call(JOB, payload, take)


@pytest.mark.parametrize("max_depth", [64, 10**6])
def test_a_list_that_contains_itself_is_refused(max_depth: int) -> None:
    value: list[Any] = []
    value.append(value)

    with pytest.raises(PayloadError, match=r"contains itself|recursion limit"):
        Codec(max_depth=max_depth, authkey=KEY).encode_result(JOB, value)


def test_a_dict_that_contains_itself_is_refused() -> None:
    value: dict[str, Any] = {}
    value["a"] = [value]

    with pytest.raises(PayloadError, match="contains itself"):
        CODEC.encode_result(JOB, value)


def test_shared_parts_cannot_fill_the_memory() -> None:
    value: list[Any] = [[]]
    for _ in range(40):
        value = [value, value]

    with pytest.raises(PayloadError, match="more items"):
        Codec(max_bytes=10_000).encode_result(JOB, value)


def test_a_recursion_limit_below_the_depth_raises_payload_error() -> None:
    payload = msgspec.msgpack.encode(nested(500))

    with pytest.raises(PayloadError):
        Codec(max_depth=10**6).decode_result(JOB, b"\x01" + b"\x91" * 10**5 + payload)


def test_the_largest_allowed_payload_comes_back() -> None:
    codec = Codec(max_bytes=100)
    value = b"x" * 97

    payload = codec.encode_result(JOB, value)

    assert (len(payload), codec.decode_result(JOB, payload)) == (100, value)


def test_one_byte_more_is_refused_when_encoding() -> None:
    with pytest.raises(PayloadError, match="this one has 101"):
        Codec(max_bytes=100).encode_call(JOB, (b"x" * 95,), {})


def test_one_byte_more_is_refused_when_decoding() -> None:
    payload = CODEC.encode_result(JOB, b"x" * 98)

    with pytest.raises(PayloadError, match="this one has 101"):
        Codec(max_bytes=100).decode_result(JOB, payload)


def decode_both(payload: bytes) -> None:
    """Decode as a call and as a result; PayloadError is the only error allowed."""
    with contextlib.suppress(PayloadError):
        CODEC.decode_call(JOB, payload, take)
    with contextlib.suppress(PayloadError):
        CODEC.decode_result(JOB, payload, fn=take)


@given(st.binary(max_size=200))
def test_random_bytes_only_ever_raise_payload_error(data: bytes) -> None:
    decode_both(data)
    decode_both(b"\x01" + data)


@given(st.integers(0, len(RICH_PAYLOAD) - 1), st.integers(1, 255))
def test_a_flipped_byte_only_ever_raises_payload_error(position: int, bits: int) -> None:
    flipped = bytearray(RICH_PAYLOAD)
    flipped[position] ^= bits

    decode_both(bytes(flipped))


@given(st.integers(0, len(RICH_PAYLOAD) - 1))
def test_a_truncated_call_is_refused(size: int) -> None:
    with pytest.raises(PayloadError):
        CODEC.decode_call(JOB, RICH_PAYLOAD[:size], take)


WIRE = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(),
        st.text(max_size=3),
        st.binary(max_size=3),
        st.builds(msgspec.msgpack.Ext, st.integers(-1, 30), st.binary(max_size=1)),
        st.builds(msgspec.msgpack.Ext, st.integers(0, 30), st.just(b"")),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.builds(
            lambda code, parts: [msgspec.msgpack.Ext(code, b""), *parts],
            st.integers(0, 25),
            st.lists(inner, max_size=9),
        ),
        st.dictionaries(st.one_of(st.text(max_size=3), st.integers(0, 9)), inner, max_size=3),
        st.fixed_dictionaries({"value": inner, "below": inner}),
    ),
    max_leaves=20,
)


@given(WIRE)
def test_forged_marks_only_ever_raise_payload_error(wire: Any) -> None:
    data = msgspec.msgpack.encode(wire)

    decode_both(b"\x01" + data)
    decode_both(b"\x01" + msgspec.msgpack.encode([[wire], {}]))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x03\xc0",
        b"\x01",
        b"\x01\xc1",
        b"\x01\xc0\xc0",
        b"\x01\xa1\xff",
        b"\x01\xc7\x00\x01",
        b"\x01\x91\xc7\x00\x63",
        b"\x01\x91\xc7\x01\x01\x00",
        b"\x01\x92\xc7\x00\x04\x01",
        b"\x01\x92\xc7\x00\x02\x90",
        b"\x01\xd6\xff\x00\x00\x00\x01",
        b"\x01\x81\xc7\x00\x01\x01",
        b"\x01\x81\xc0\x91\xc7\x00\x01",
        b"\x01\x91\xc7\x00\x00",
        b"\x01\x92\xc7\x00\x00\xc0",
        b"\x01\x92\xc7\x00\x10\xa9../../etc",
        b"\x01\x92\xc7\x00\x10\xa6Europe",
    ],
    ids=bytes.hex,
)
def test_damaged_bytes_are_refused_as_a_result(data: bytes) -> None:
    with pytest.raises(PayloadError):
        CODEC.decode_result(JOB, data, fn=take)


@pytest.mark.parametrize(
    "wire", [None, [], [[]], [[], {}, 1], [{}, []], [[], {1: 2}], [[], []], {"a": 1}]
)
def test_bytes_of_another_shape_are_refused_as_a_call(wire: Any) -> None:
    payload = b"\x01" + msgspec.msgpack.encode(wire)

    with pytest.raises(PayloadError, match=r"a call|keyword"):
        CODEC.decode_call(JOB, payload, take)


def test_a_typed_value_where_nothing_is_annotated_is_refused() -> None:
    with pytest.raises(PayloadError, match="the annotation here names: none"):
        CODEC.decode_call(JOB, RICH_PAYLOAD)


@pytest.mark.parametrize(
    "head", [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"]
)
@pytest.mark.parametrize("times", [1, 50])
def test_a_huge_declared_length_allocates_nothing(head: bytes, times: int) -> None:
    payload = b"\x01" + head * times
    tracemalloc.start()

    with contextlib.suppress(PayloadError):
        CODEC.decode_result(JOB, payload)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_long_list_of_numbers_that_look_like_containers_comes_back() -> None:
    value = [0x91, 0xDD, 0xC7] * 1000

    payload = CODEC.encode_result(JOB, value)

    assert CODEC.decode_result(JOB, payload) == value


PRIME = 2**61 - 1
ALIKE: list[Any] = [
    {PRIME * n for n in range(10, 200)},
    frozenset(PRIME * n for n in range(10, 200)),
    dict.fromkeys(PRIME * n for n in range(10, 200)),
    {uuid.UUID(int=PRIME * n) for n in range(200)},
    {(PRIME * n, 1): n for n in range(10, 200)},
    {Decimal(PRIME * n) for n in range(10, 200)},
]


@pytest.mark.parametrize("value", ALIKE)
def test_a_set_or_dict_of_keys_that_hash_alike_is_refused_when_it_is_written(value: Any) -> None:
    with pytest.raises(PayloadError, match="more than 100 keys of one hash"):
        CODEC.encode_result(JOB, value)


@pytest.mark.parametrize("value", ALIKE)
def test_a_set_or_dict_of_keys_that_hash_alike_travels_signed(value: Any) -> None:
    codec = Codec(authkey=KEY)

    assert codec.decode_result(JOB, codec.encode_result(JOB, value)) == value


@pytest.mark.parametrize("code", [2, 3, 4])
def test_stored_keys_that_hash_alike_are_refused_before_they_are_compared(code: int) -> None:
    numbers = [(PRIME * n).to_bytes(13, "big", signed=True) for n in range(10, 100_000)]
    keys: list[Any] = [[msgspec.msgpack.Ext(5, b""), number] for number in numbers]
    parts = [part for key in keys for part in (key, 1)] if code == 4 else keys
    payload = b"\x01" + msgspec.msgpack.encode([msgspec.msgpack.Ext(code, b""), *parts])

    # To compare them takes a quarter of an hour.
    with pytest.raises(PayloadError, match="more than 100 keys of one hash"):
        CODEC.decode_result(JOB, payload)


@pytest.mark.parametrize(
    "value",
    [
        {2**n for n in range(6000)},
        {(n, m): n * m for n in range(100) for m in range(100)},
        {2**64 + n for n in range(1000)},
        {Decimal(n) / 8 for n in range(1000)},
    ],
)
def test_large_sets_and_dicts_of_honest_keys_travel(value: Any) -> None:
    assert CODEC.decode_result(JOB, CODEC.encode_result(JOB, value)) == value


def test_a_stored_fraction_is_made_of_numbers_only() -> None:
    ruin = [msgspec.msgpack.Ext(10, b""), "1e999999999", 1]

    for parts in (ruin[:2], ruin):
        with pytest.raises(PayloadError, match="put together"):
            CODEC.decode_result(JOB, b"\x01" + msgspec.msgpack.encode(parts))
