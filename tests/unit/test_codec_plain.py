"""Plain data: what a payload brings back is equal in type and value."""

import collections
import enum
import io
import struct
import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightwork.codec import Codec, Subject
from lightwork.errors import PayloadError

JOB = Subject(uuid.UUID(int=1), "mail:send")
CODEC = Codec()


def same(one: Any, other: Any) -> bool:
    """Return whether two values are alike in type and value, all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return struct.pack("d", one) == struct.pack("d", other)
    if isinstance(one, complex):
        return same((one.real, one.imag), (other.real, other.imag))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, set | frozenset):
        return len(one) == len(other) and all(any(same(a, b) for b in other) for a in one)
    if isinstance(one, datetime | time):
        return (repr(one), one.fold) == (repr(other), other.fold)
    if isinstance(one, slice):
        return same((one.start, one.stop, one.step), (other.start, other.stop, other.step))
    if isinstance(one, Decimal):
        return str(one) == str(other)
    return bool(one == other)


def round_trip(value: Any) -> Any:
    payload = CODEC.encode_result(JOB, value)
    return CODEC.decode_result(JOB, payload)


SURROGATES = st.text(st.characters(codec=None, categories=None), max_size=5)
PATH_TEXT = st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1)
ZONES = st.one_of(
    st.none(),
    st.just(UTC),
    st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone),
    st.builds(timezone, st.just(timedelta(hours=2)), st.just("MESZ")),
    st.sampled_from(["Europe/Zurich", "America/New_York", "UTC"]).map(ZoneInfo),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(2**60, 2**70),
    st.floats(),
    st.complex_numbers(),
    SURROGATES,
    st.binary(max_size=20),
    st.decimals().filter(lambda number: not number.is_snan()),  # sNaN cannot be hashed
    st.fractions(),
    st.datetimes(timezones=ZONES),
    st.builds(datetime.replace, st.datetimes(timezones=ZONES), fold=st.sampled_from([0, 1])),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.uuids(),
    st.just(...),
    st.builds(range, st.integers(), st.integers(), st.integers(1, 2**70)),
    PATH_TEXT.map(PurePosixPath),
    PATH_TEXT.map(Path),
    PATH_TEXT.map(PureWindowsPath),
)
HASHABLE = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(tuple), st.frozensets(inner, max_size=4)
    ),
    max_leaves=6,
)
VALUES = st.recursive(
    st.one_of(SCALARS, st.binary(max_size=9).map(bytearray), st.builds(slice, SCALARS, SCALARS)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.sets(HASHABLE, max_size=4),
        st.dictionaries(HASHABLE, inner, max_size=4),
        st.dictionaries(st.text(max_size=5), inner, max_size=4),
    ),
    max_leaves=12,
)


@given(VALUES)
def test_a_plain_result_comes_back_equal_in_type_and_value(value: Any) -> None:
    back = round_trip(value)

    assert same(back, value)


@given(st.lists(VALUES, max_size=3), st.dictionaries(st.text(max_size=5), VALUES, max_size=3))
def test_plain_arguments_come_back_equal_in_type_and_value(
    args: list[Any], kwargs: dict[str, Any]
) -> None:
    payload = CODEC.encode_call(JOB, tuple(args), kwargs)

    back = CODEC.decode_call(JOB, payload)

    assert same(back, (tuple(args), kwargs))


@pytest.mark.parametrize(
    "value",
    [
        2**63,
        2**64 - 1,
        2**64,
        -(2**63),
        -(2**63) - 1,
        10**5000,
        Fraction(10**5000, 3),
        -0.0,
        float("nan"),
        float("-inf"),
        complex(-0.0, float("nan")),
        "\ud800",
        ["\udcff", 2**64],
        {"\udcff": 1},
        {2**64: 2**64},
        {1: "a", "1": "b", (1,): "c", None: "d", 1.5: "e", b"1": "f"},
        {True: "bool"},
        {False: 0, None: 1},
        {"b": 1, "a": 2},
        Decimal("-0.00"),
        Decimal("sNaN123"),
        Decimal("1E+999999"),
        timezone(timedelta(0), "zero"),
        [[], (), {}, set(), frozenset(), b"", bytearray(), ""],
        [(1,), [1]],
        slice(1, None, -1),
        time(2, 30, fold=1),
        time(12, 0, 0, 5, UTC),
        date.max,
        timedelta.min,
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_edge_value_comes_back_equal_in_type_and_value(value: Any) -> None:
    back = round_trip(value)

    assert same(back, value)


def test_a_repeated_hour_comes_back_with_its_fold() -> None:
    second = datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Zurich"))

    back = round_trip(second)

    assert back.utcoffset() == second.utcoffset()


class Text(str):
    __slots__ = ()


class Number(float):
    pass


class Level(enum.IntEnum):
    HIGH = 1


class Point(NamedTuple):
    x: int


@pytest.mark.parametrize(
    "value",
    [
        Text("a"),
        Number(1.5),
        Level.HIGH,
        Point(1),
        collections.OrderedDict(a=1),
        collections.defaultdict(list),
        collections.Counter("a"),
        collections.deque([1]),
        memoryview(b"a"),
        object(),
        print,
        int,
        ValueError("x"),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: [v], lambda v: {"k": (v,)}])
def test_a_type_that_would_change_is_refused(value: Any, wrap: Any) -> None:
    with pytest.raises(PayloadError, match=type(value).__name__):
        CODEC.encode_result(JOB, wrap(value))


def test_a_subclass_as_a_key_is_refused() -> None:
    with pytest.raises(PayloadError, match="Text"):
        CODEC.encode_result(JOB, {Text("a"): 1})


def test_a_zone_that_was_read_from_a_file_is_refused() -> None:
    head = struct.pack(">4s16x6l", b"TZif", 0, 0, 0, 0, 1, 4)
    zone = ZoneInfo.from_file(io.BytesIO(head + struct.pack(">lbb4s", 0, 0, 0, b"UTC")))

    with pytest.raises(PayloadError, match="no key"):
        CODEC.encode_result(JOB, zone)


def test_a_refusal_names_the_argument_the_type_and_the_ways_out() -> None:
    def send(to: str, attachment: object) -> None: ...

    with pytest.raises(PayloadError) as refusal:
        CODEC.encode_call(JOB, ("a@b.c", object()), {}, fn=send)

    assert "argument 'attachment' of " in str(refusal.value)
    assert "builtins.object is not plain data" in str(refusal.value)
    assert "annotate" in str(refusal.value)
    assert "authkey" in str(refusal.value)


def test_a_refusal_names_a_keyword_argument() -> None:
    with pytest.raises(PayloadError, match="argument 'when' of the function"):
        CODEC.encode_call(JOB, (), {"when": object()})


def test_a_refusal_names_the_place_among_further_arguments() -> None:
    def total(*numbers: int) -> None: ...

    with pytest.raises(PayloadError, match=r"argument 'numbers\[1\]'"):
        CODEC.encode_call(JOB, (1, object()), {}, fn=total)


@pytest.mark.parametrize("name", [1, Text("a")])
def test_a_keyword_that_is_not_plain_text_is_refused(name: Any) -> None:
    with pytest.raises(PayloadError, match="keyword"):
        CODEC.encode_call(JOB, (), {name: 1})


def test_a_keyword_that_is_not_unicode_is_refused() -> None:
    with pytest.raises(PayloadError, match="keyword"):
        CODEC.encode_call(JOB, (), {"\ud800": 1})


def test_a_flat_call_is_one_mark_and_bare_messagepack() -> None:
    payload = CODEC.encode_call(JOB, (20, "a"), {"b": None})

    assert payload == b"\x01\x92\x92\x14\xa1a\x81\xa1b\xc0"


def test_stored_bytes_of_earlier_releases_still_decode() -> None:
    """The codes are stored: this payload may never be edited, only added to."""
    stored = bytes.fromhex(STORED)

    back = CODEC.decode_result(JOB, stored)

    assert same(back, STORED_VALUE)


@given(VALUES)
def test_a_digest_does_not_depend_on_when_it_is_made(value: Any) -> None:
    assert CODEC.payload_digest((value,), {}) == CODEC.payload_digest((value,), {})


def test_a_digest_is_the_same_in_every_release() -> None:
    digest = CODEC.payload_digest((1, "a", {"b", "c"}), {"x": 1.5})

    assert digest.hex() == DIGEST


def test_a_digest_ignores_the_order_of_keywords() -> None:
    assert CODEC.payload_digest((), {"a": 1, "b": 2}) == CODEC.payload_digest((), {"b": 2, "a": 1})


def test_a_digest_ignores_the_order_of_a_sets_items() -> None:
    # 0 and 8 share a slot of a small set, so insertion order is iteration order.
    one, other = {0, 8}, {8, 0}
    assert list(one) != list(other)

    assert CODEC.payload_digest((one,), {}) == CODEC.payload_digest((other,), {})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        ("1", 1),
        (b"1", "1"),
        ((1,), [1]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ],
)
def test_a_digest_tells_different_arguments_apart(one: Any, other: Any) -> None:
    assert CODEC.payload_digest((one,), {}) != CODEC.payload_digest((other,), {})


def test_a_value_without_lasting_identity_has_no_digest() -> None:
    with pytest.raises(PayloadError, match="no lasting identity"):
        Codec(authkey=b"k" * 16).payload_digest((object(),), {})


STORED_VALUE: Any = {
    "scalars": [None, True, -5, 2**70, 1.5, "\ud800", b"\x00", bytearray(b"\x01"), 1 - 2j],
    "texts": [Decimal("1.50"), Fraction(1, 3), uuid.UUID(int=7), PurePosixPath("a/b"), Path("c")],
    "times": [
        datetime(2026, 1, 2, 3, 4, 5, 6, timezone(timedelta(hours=1), "X"), fold=1),
        datetime(2026, 1, 2, tzinfo=ZoneInfo("UTC")),
        datetime(2026, 1, 2, tzinfo=UTC),
        date(2026, 1, 2),
        time(1, 2, 3, 4),
        timedelta(1, 2, 3),
    ],
    "containers": [(1, 2), {3}, frozenset({4}), {(5,): 6}, range(7), slice(8), ...],
    "windows": PureWindowsPath("c:/d"),
}
STORED = (
    "019bc70004a77363616c61727399c0c3fb92c70005c409400000000000000000cb3ff800000000000092c700"
    "06c403eda080c4010092c70007c4010193c70008cb3ff0000000000000cbc000000000000000a57465787473"
    "9592c70009a4312e353093c7000a010392c70011c4100000000000000000000000000000000792c70015a361"
    "2f6292c70016a163a574696d6573969ac7000bcd07ea01020304050693c7000f94c7000e00cd0e1000a15801"
    "9ac7000bcd07ea01020000000092c70010a3555443009ac7000bcd07ea01020000000091c7000f0094c7000c"
    "cd07ea010297c7000d01020304c00094c7000e010203aa636f6e7461696e6572739793c70001010292c70002"
    "0392c700030493c7000492c70001050694c7001200070194c70013c008c091c70014a777696e646f777392c7"
    "0017a4633a5c64"
)
DIGEST = "36e1ef2812eeca04b8d1e2b3c22f122a21eba1ed6299190d94a7748cb766f052"
