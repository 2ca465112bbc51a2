"""Typed: classes that travel as plain data because an annotation names them.

Dataclasses, msgspec Structs and NamedTuples are taken apart into their fields,
enum members into their value. No class name of the bytes is ever looked up:
`pick` chooses among the classes that an annotation allows.

A record is put together as it was: its fields are set as stored, its
`__post_init__` runs as in a new object (it may check, or derive attributes), and
then the stored fields count again. A field that was added since gets its default.
"""

import dataclasses
import enum
import functools
import operator
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from lightwork.codec.hints import Hints, origin_of
from lightwork.errors import PayloadError


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """One way in which a class is taken apart and put together."""

    take_apart: Callable[[Any], Any]
    put_together: Callable[[Any, Any], Any]
    has_fields: bool = True


@functools.lru_cache(maxsize=1024)
def kind_of(cls: type) -> Kind | None:
    """Return how the class travels as plain data, or None if it cannot."""
    if issubclass(cls, enum.Enum):
        return ENUM
    if issubclass(cls, msgspec.Struct):
        return STRUCT
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return NAMED_TUPLE
    if dataclasses.is_dataclass(cls) and not _has_more_than_fields(cls):
        return DATACLASS
    return None


@functools.lru_cache(maxsize=1024)
def typed_classes(hints: Hints) -> tuple[type, ...]:
    """Return the classes among the alternatives that travel as plain data."""
    classes = [origin_of(hint) or hint for hint in hints]
    typed = [cls for cls in classes if isinstance(cls, type) and kind_of(cls) is not None]
    return tuple(dict.fromkeys(typed))


def discriminator(cls: type, hints: Hints) -> str | None:
    """Return the name to store, "" where the annotation leaves no choice, None if not allowed."""
    classes = typed_classes(hints)
    if cls not in classes:
        return None
    if len(classes) == 1:
        return ""
    names = [found.__qualname__ for found in classes]
    return cls.__qualname__ if names.count(cls.__qualname__) == 1 else None


def pick(name: str, hints: Hints) -> type:
    """Return the one class of the annotation that the stored name can mean.

    Raises:
        PayloadError: None or several can be meant.
    """
    classes = [cls for cls in typed_classes(hints) if name in ("", cls.__qualname__)]
    if len(classes) != 1:
        seen = ", ".join(cls.__qualname__ for cls in typed_classes(hints)) or "none"
        raise PayloadError(
            f"stored fields of {name or 'one class'} expect an annotation that names exactly "
            f"that class; the annotation here names: {seen}. Run the function's version that "
            "the call was written for, or annotate it as it was"
        )
    return classes[0]


def _put_struct(cls: Any, data: dict[str, Any]) -> Any:
    struct = cls(**data)
    _restore(struct, data, msgspec.structs.force_setattr)
    return struct


def _put_named_tuple(cls: Any, data: dict[str, Any]) -> Any:
    values = cls._field_defaults | data
    _check_names(cls, values, cls._fields)
    return cls._make(values[name] for name in cls._fields)


def _take_dataclass(record: Any) -> dict[str, Any]:
    return {known.name: getattr(record, known.name) for known in dataclasses.fields(record)}


def _put_dataclass(cls: Any, data: dict[str, Any]) -> Any:
    values = {known.name: _default(known) for known in dataclasses.fields(cls)} | data
    _check_names(cls, values, [known.name for known in dataclasses.fields(cls)])
    record = object.__new__(cls)
    _restore(record, values, object.__setattr__)
    if hasattr(record, "__post_init__"):
        record.__post_init__()
        _restore(record, data, object.__setattr__)
    return record


def _restore(record: Any, data: dict[str, Any], put: Callable[[Any, str, Any], None]) -> None:
    for name, value in data.items():
        if getattr(record, name, dataclasses.MISSING) is not value:
            put(record, name, value)


def _default(known: dataclasses.Field[Any]) -> Any:
    if known.default_factory is not dataclasses.MISSING:
        return known.default_factory()
    return known.default


def _check_names(cls: type, values: dict[str, Any], names: Iterable[str]) -> None:
    wrong = set(values) ^ set(names)
    wrong |= {name for name, value in values.items() if value is dataclasses.MISSING}
    if wrong:
        raise PayloadError(
            f"{cls.__qualname__} was stored with other fields than it has here: "
            f"{', '.join(sorted(wrong))}. Give a new field a default; keep a removed one "
            "until its jobs are done"
        )


def _has_more_than_fields(cls: Any) -> bool:
    known = cls.__dataclass_fields__.values()
    if any(found._field_type is dataclasses._FIELD_INITVAR for found in known):  # type: ignore[attr-defined]
        return True  # An InitVar is gone once the object exists.
    try:
        object.__new__(cls)
    except TypeError:
        return True  # It is an exception, a dict ... as well, with contents of its own.
    return False


ENUM: Final = Kind(operator.attrgetter("value"), operator.call, has_fields=False)
STRUCT: Final = Kind(msgspec.structs.asdict, _put_struct)
NAMED_TUPLE: Final = Kind(lambda row: dict(zip(row._fields, row, strict=True)), _put_named_tuple)
DATACLASS: Final = Kind(_take_dataclass, _put_dataclass)
