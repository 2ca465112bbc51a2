"""Plain: Python's built-in types as MessagePack, exact in type and value.

MessagePack knows None, bool, 64-bit int, float, str, bytes, list and dict with
simple keys: these stand for themselves. Every other type is an array that
starts with a mark, an empty extension whose code names the type:

    (1, 2)              [mark 1, 1, 2]
    Decimal("1.50")     [mark 9, "1.50"]
    Order(n=1)          [mark 0, {"n": 1}]      typed.py; a third part tells alternatives apart

A mark is never a value, so a list can always be told from a marked array. The
codes are stored: never renumber one. Sets are written in the order of their
encoded items, so that equal sets make equal bytes.

Most payloads are flat, hence three short cuts: a container of nothing but
scalars goes to MessagePack as it is; whether an integer or a string fits is
only looked at when MessagePack has refused one (`careful`); and bytes that
hold no extension and few containers need no second look after decoding.

Depth is counted in arrays and maps as they are written, alike both ways.
"""

import functools
import operator
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec.msgpack import Decoder, Encoder, Ext

from lightwork.codec.hashing import ALIKE, are_too_alike
from lightwork.codec.hints import NOTHING, Hints, item_hints, key_hints, value_hints
from lightwork.codec.hints import field_hints as hints_of_fields
from lightwork.codec.references import ResultOf
from lightwork.codec.typed import Kind, discriminator, kind_of, pick
from lightwork.error_text import class_name
from lightwork.errors import PayloadError

encode: Final = Encoder().encode
decode: Final = Decoder().decode

SCALARS: Final = frozenset({type(None), bool, int, float, str, bytes})
# Integers and strings are looked at one by one after MessagePack has refused one.
_CAREFUL: Final = SCALARS - {int, str}
_KEYS: Final = frozenset({int, str})
_WIRE: Final = SCALARS | {list, dict}
# The first bytes of arrays and maps, and those of extensions.
_CONTAINERS: Final = bytes([*range(0x80, 0xA0), *range(0xDC, 0xE0)])
_EXTENSIONS: Final = bytes([*range(0xC7, 0xCA), *range(0xD4, 0xD9)])
_BORING: Final = bytes(set(range(256)) - {*_CONTAINERS, *_EXTENSIONS})


class NotPlain(Exception):  # noqa: N818 - a decision of this package, never seen by users
    """This value cannot travel as plain data; `reason` ends a sentence about it."""

    def __init__(self, value: object, reason: str) -> None:
        super().__init__(value, reason)
        self.type_name = class_name(type(value))
        self.reason = reason
        # Set by whoever knows which argument it was.
        self.place = "a value"


@dataclass(frozen=True, slots=True)
class Form:
    """How one type is written: its code, its parts, and back."""

    code: int
    split: Callable[[Any], Iterable[Any]]
    join: Callable[[list[Any]], Any]


def _pairs(mapping: dict[Any, Any]) -> Iterable[Any]:
    return (part for pair in mapping.items() for part in pair)


def _join_pairs(parts: list[Any]) -> dict[Any, Any]:
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _split_int(number: int) -> tuple[bytes]:
    return (number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True),)


def _split_datetime(at: datetime) -> tuple[Any, ...]:
    day = (at.year, at.month, at.day)
    return (*day, at.hour, at.minute, at.second, at.microsecond, at.tzinfo, at.fold)


def _split_time(at: time) -> tuple[Any, ...]:
    return (at.hour, at.minute, at.second, at.microsecond, at.tzinfo, at.fold)


def _split_timezone(zone: timezone) -> tuple[Any, ...]:
    # (offset,) or (offset, name): a name that was given is part of the value.
    # UTC is by far the commonest: no parts.
    return () if zone is UTC else tuple(zone.__getinitargs__())  # type: ignore[attr-defined]


def _split_zone(zone: ZoneInfo) -> tuple[str]:
    if zone.key is None:
        raise NotPlain(zone, "has no key: it was read from a file")
    return (zone.key,)


def _join_fraction(parts: list[Any]) -> Fraction:
    # Text would do for a Fraction, too: "1e999999999" is a number of a billion digits.
    numerator, denominator = map(operator.index, parts)
    return Fraction(numerator, denominator)


def _text(value: object) -> tuple[str]:
    return (str(value),)


TYPED: Final = 0
_DICT: Final = Form(4, _pairs, _join_pairs)
_INT: Final = Form(5, _split_int, lambda parts: int.from_bytes(b"".join(parts), "big", signed=True))
_STR: Final = Form(
    6,
    lambda text: (text.encode("utf-8", "surrogatepass"),),
    lambda parts: b"".join(parts).decode("utf-8", "surrogatepass"),
)
_SET: Final = Form(2, iter, set)
_FROZENSET: Final = Form(3, iter, frozenset)
FORMS: Final[Mapping[type, Form]] = {
    tuple: Form(1, iter, tuple),
    set: _SET,
    frozenset: _FROZENSET,
    bytearray: Form(7, lambda data: (bytes(data),), lambda parts: bytearray(b"".join(parts))),
    complex: Form(8, lambda z: (z.real, z.imag), lambda parts: complex(*parts)),
    Decimal: Form(9, _text, lambda parts: Decimal(*parts)),
    Fraction: Form(10, lambda q: (q.numerator, q.denominator), _join_fraction),
    datetime: Form(
        11,
        _split_datetime,
        lambda parts: datetime(*parts[:8], fold=parts[8]),  # noqa: DTZ001
    ),
    date: Form(12, lambda day: (day.year, day.month, day.day), lambda parts: date(*parts)),
    time: Form(13, _split_time, lambda parts: time(*parts[:5], fold=parts[5])),
    timedelta: Form(
        14, lambda d: (d.days, d.seconds, d.microseconds), lambda parts: timedelta(*parts)
    ),
    timezone: Form(15, _split_timezone, lambda parts: timezone(*parts) if parts else UTC),
    ZoneInfo: Form(16, _split_zone, lambda parts: ZoneInfo(*parts)),
    UUID: Form(17, lambda uuid: (uuid.bytes,), lambda parts: UUID(bytes=b"".join(parts))),
    range: Form(18, lambda r: (r.start, r.stop, r.step), lambda parts: range(*parts)),
    slice: Form(19, lambda s: (s.start, s.stop, s.step), lambda parts: slice(*parts)),
    type(...): Form(20, lambda _: (), lambda _: ...),
    PurePosixPath: Form(21, _text, lambda parts: PurePosixPath(*parts)),
    PosixPath: Form(22, _text, lambda parts: PosixPath(*parts)),
    PureWindowsPath: Form(23, _text, lambda parts: PureWindowsPath(*parts)),
    WindowsPath: Form(24, _text, lambda parts: WindowsPath(*parts)),
    ResultOf: Form(
        25,
        lambda reference: (reference.job_id.bytes,),
        lambda parts: ResultOf(UUID(bytes=b"".join(parts))),
    ),
}
_BY_CODE: Final = {form.code: form for form in (_DICT, _INT, _STR, *FORMS.values())}
_HASHED: Final = (_SET, _FROZENSET, _DICT)
_ITEMS: Final = frozenset({tuple, set, frozenset})
_TOO_ALIKE: Final = f"holds more than {ALIKE} keys of one hash, which take for ever to compare"
_MARKS: Final = {code: Ext(code, b"") for code in (TYPED, *_BY_CODE)}


class Writer:
    """Turns values into what MessagePack can write; one per payload.

    Args:
        max_depth: How many arrays and maps may be nested.
        room: How many values fit into the payload: each takes a byte or more.
        careful: Look at every integer and string.
    """

    __slots__ = ("_max_depth", "_room", "_scalars")

    def __init__(self, *, max_depth: int, room: int, careful: bool) -> None:
        self._max_depth = max_depth
        self._room = room
        self._scalars = _CAREFUL if careful else SCALARS

    def write(self, value: Any, hints: Hints = NOTHING, depth: int = 0) -> Any:
        """Return the value as scalars, lists, dicts and marks.

        Raises:
            NotPlain: A value in it is of a type that does not travel as plain data.
            PayloadError: It is nested too deeply or is too large.
        """
        kind = type(value)
        if kind in self._scalars:
            return value
        if kind is int:
            return value if -(2**63) <= value < 2**64 else self._write_form(value, _INT, depth)
        if kind is str:
            return value if _is_text(value) else self._write_form(value, _STR, depth)
        if kind is list:
            return self._write_items(value, hints, depth)
        if kind is dict:
            return self._write_dict(value, hints, depth)
        if (form := FORMS.get(kind)) is not None:
            return self._write_form(value, form, depth, hints if kind in _ITEMS else NOTHING)
        return self._write_typed(value, hints, depth)

    def _write_items(self, items: Any, hints: Hints, depth: int) -> list[Any]:
        values = items if isinstance(items, list) else list(items)
        self._enter(len(values), depth)
        if self._scalars.issuperset(map(type, values)):
            return values
        if not hints:
            return [self.write(value, NOTHING, depth + 1) for value in values]
        return [
            self.write(value, item_hints(hints, position), depth + 1)
            for position, value in enumerate(values)
        ]

    def _write_form(self, value: Any, form: Form, depth: int, hints: Hints = NOTHING) -> list[Any]:
        parts = self._write_items(form.split(value), hints, depth)
        if form is _SET or form is _FROZENSET:
            _check_keys(value, parts)
            parts = sorted(parts, key=encode)
        return [_MARKS[form.code], *parts]

    def _write_dict(self, mapping: dict[Any, Any], hints: Hints, depth: int) -> Any:
        self._enter(2 * len(mapping), depth)
        if not (_KEYS & self._scalars).issuperset(map(type, mapping)):
            return self._write_pairs(mapping, hints, depth)
        if self._scalars.issuperset(map(type, mapping.values())):
            return mapping
        return {
            key: self.write(value, value_hints(hints, key), depth + 1)
            for key, value in mapping.items()
        }

    def _write_pairs(self, mapping: dict[Any, Any], hints: Hints, depth: int) -> list[Any]:
        wire = [_MARKS[_DICT.code]]
        for key, value in mapping.items():
            wire.append(self.write(key, key_hints(hints), depth + 1))
            wire.append(self.write(value, value_hints(hints, key), depth + 1))
        _check_keys(mapping, wire[1::2])
        return wire

    def _write_typed(self, value: Any, hints: Hints, depth: int) -> list[Any]:
        cls: type = type(value)
        kind = kind_of(cls)
        if kind is None:
            raise NotPlain(value, "is not plain data")
        name = discriminator(cls, hints)
        if name is None:
            raise NotPlain(value, "would not come back as the same type by the annotation")
        self._enter(1, depth)
        data = _taken_apart(value, kind)
        if kind.has_fields:
            wire: Any = self._write_fields(data, hints_of_fields(cls), depth + 1)
        else:
            wire = self.write(data, NOTHING, depth + 1)
        return [_MARKS[TYPED], wire, name] if name else [_MARKS[TYPED], wire]

    def _write_fields(
        self, data: dict[str, Any], fields: Mapping[str, Hints], depth: int
    ) -> dict[str, Any]:
        self._enter(len(data), depth)
        return {
            name: self.write(value, fields.get(name, NOTHING), depth + 1)
            for name, value in data.items()
        }

    def _enter(self, size: int, depth: int) -> None:
        if depth >= self._max_depth:
            raise too_deep(self._max_depth)
        # Shared parts are written each time: without this count a few nested
        # lists that share their items would fill the memory.
        self._room -= size
        if self._room < 0:
            raise PayloadError("a value has more items than the largest payload has bytes")


class Reader:
    """Turns what MessagePack has read into values; the mirror of Writer."""

    __slots__ = ("_max_depth",)

    def __init__(self, *, max_depth: int) -> None:
        self._max_depth = max_depth

    def read(self, wire: Any, hints: Hints = NOTHING, depth: int = 0) -> Any:
        """Return the value that was written.

        Raises:
            PayloadError: The bytes were not made by Writer, or the annotation
                does not name the class that the value had.
        """
        kind = type(wire)
        if kind in SCALARS:
            return wire
        if kind not in _WIRE:
            raise PayloadError(f"stored data is damaged: {kind.__name__} where a value is expected")
        if depth >= self._max_depth:
            raise too_deep(self._max_depth)
        if kind is dict:
            return self._read_dict(wire, hints, depth)
        if wire and type(wire[0]) is Ext:
            return self._read_marked(wire, hints, depth)
        return self._read_items(wire, hints, depth)

    def _read_items(self, wire: list[Any], hints: Hints, depth: int) -> list[Any]:
        if SCALARS.issuperset(map(type, wire)):
            return wire
        if not hints:
            return [self.read(part, NOTHING, depth + 1) for part in wire]
        return [
            self.read(part, item_hints(hints, position), depth + 1)
            for position, part in enumerate(wire)
        ]

    def _read_dict(self, wire: dict[Any, Any], hints: Hints, depth: int) -> dict[Any, Any]:
        if not _KEYS.issuperset(map(type, wire)):
            raise PayloadError("stored data is damaged: a key is neither text nor a number")
        if SCALARS.issuperset(map(type, wire.values())):
            return wire
        return {
            key: self.read(part, value_hints(hints, key), depth + 1) for key, part in wire.items()
        }

    def _read_marked(self, wire: list[Any], hints: Hints, depth: int) -> Any:
        mark, *parts = wire
        if mark.code == TYPED:
            return self._read_typed(parts, hints, depth)
        form = _BY_CODE.get(mark.code)
        if form is None or mark.data:
            raise PayloadError(
                f"stored data of type {mark.code} is unknown here: damaged, or written by a "
                "newer lightwork; upgrade this program"
            )
        read = self._read_parts(form, parts, hints, depth)
        if form in _HASHED:
            step = 2 if form is _DICT else 1
            _put_together(functools.partial(_check_read, parts[::step]), read[::step])
        return _put_together(form.join, read)

    def _read_parts(self, form: Form, parts: list[Any], hints: Hints, depth: int) -> list[Any]:
        if form is not _DICT:
            return self._read_items(parts, hints, depth)
        if len(parts) % 2:
            raise PayloadError("stored data is damaged: a key without a value")
        read: list[Any] = []
        for key, value in zip(parts[::2], parts[1::2], strict=True):
            read.append(self.read(key, key_hints(hints), depth + 1))
            read.append(self.read(value, value_hints(hints, read[-1]), depth + 1))
        return read

    def _read_typed(self, parts: list[Any], hints: Hints, depth: int) -> Any:
        match parts:
            case [data]:
                cls = pick("", hints)
            case [data, str(name)]:
                cls = pick(name, hints)
            case _:
                raise PayloadError("stored data is damaged: a typed value has wrong parts")
        kind = kind_of(cls)
        assert kind is not None, "pick() returns only classes with a kind"
        if kind.has_fields:
            content: Any = self._read_fields(data, hints_of_fields(cls), depth + 1)
        else:
            content = self.read(data, NOTHING, depth + 1)
        return _put_together(functools.partial(kind.put_together, cls), content)

    def _read_fields(self, wire: Any, fields: Mapping[str, Hints], depth: int) -> dict[str, Any]:
        if type(wire) is not dict or not {str}.issuperset(map(type, wire)):
            raise PayloadError("stored data is damaged: fields are expected under their names")
        if depth >= self._max_depth:
            raise too_deep(self._max_depth)
        return {
            name: self.read(part, fields.get(name, NOTHING), depth + 1)
            for name, part in wire.items()
        }


def is_simple(data: bytes, max_depth: int) -> bool:
    """Return whether decoding needs no Reader: no marks, and depth cannot exceed the limit."""
    heads = data.translate(None, _BORING)
    return len(heads) <= max_depth and not heads.strip(_CONTAINERS)


def too_deep(max_depth: int) -> PayloadError:
    """Return the error for a value that is nested too deeply."""
    return PayloadError(f"a value is nested deeper than {max_depth} levels, or contains itself")


def _check_keys(keys: Collection[Any], wire: list[Any]) -> None:
    """Refuse the keys of a set or dict that would take for ever to read; `wire` as written."""
    if not SCALARS.issuperset(map(type, wire)) and are_too_alike(keys):
        raise NotPlain(keys, _TOO_ALIKE)


def _check_read(wire: list[Any], keys: list[Any]) -> None:
    if not SCALARS.issuperset(map(type, wire)) and are_too_alike(keys):
        raise PayloadError(f"stored data is refused: a set or dict {_TOO_ALIKE}")


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _taken_apart(value: Any, kind: Kind) -> Any:
    try:
        data = kind.take_apart(value)
        # NaN finds its member only while it is the very same object.
        is_same = kind.has_fields or (data == data and type(value)(data) is value)  # noqa: PLR0124
    except Exception as error:
        # A property or an enum lookup is the user's code.
        raise NotPlain(value, f"cannot be taken apart ({error!r})") from error
    if not is_same:
        raise NotPlain(value, "is not the enum member that its value stands for")
    return data


def _put_together(join: Callable[[Any], Any], parts: Any) -> Any:
    try:
        return join(parts)
    except PayloadError:
        raise
    except Exception as error:
        # Damaged parts, a time zone that is not installed, a check in __post_init__.
        raise PayloadError(f"stored data cannot be put together again: {error!r}") from error
