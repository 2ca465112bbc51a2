"""Structs: classes made by msgspec.Struct that a child cannot import.

cloudpickle makes an empty class and sets its attributes one by one. The C code of
a Struct takes its fields from the body of the class, so such a copy has none. Here
the fields are in the body, and what may refer to the class itself (methods) is set
afterwards. The class keeps cloudpickle's identity: sent twice it is one class, and
what comes back from a child is of the class that the program knows.
"""

from collections.abc import Mapping
from inspect import get_annotations
from typing import Any, Final

import cloudpickle.cloudpickle as origin
import msgspec

_NAMES: Final = ("__module__", "__qualname__", "__doc__")
# Made anew with the class.
_MADE: Final = ("__annotations__", "__dict__", "__match_args__", "__slots__", "__weakref__")
_CONFIG: Final = (
    "array_like",
    "cache_hash",
    "dict",
    "eq",
    "forbid_unknown_fields",
    "frozen",
    "gc",
    "omit_defaults",
    "order",
    "repr_omit_defaults",
    "tag",
    "tag_field",
    "weakref",
)


def reduce_struct(cls: Any) -> tuple[Any, ...]:
    """Return how the class is made from its body, and what is set afterwards."""
    own = get_annotations(cls)
    left_out = {*_NAMES, *_MADE, *cls.__struct_fields__}
    rest = {
        name: value
        for name, value in vars(cls).items()
        if name not in left_out and not name.startswith("__struct_")
    }
    identity = origin._get_or_create_tracker_id(cls)
    body, factories = _body(cls, own)
    made = (type(cls), cls.__name__, cls.__bases__, body, _config(cls, own))
    return _make, (made, factories, identity), rest, None, None, _set


def _body(cls: Any, own: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the body of the class, and what makes the defaults of fields that have none."""
    factories: dict[str, Any] = {}
    body = {name: getattr(cls, name) for name in _NAMES} | {"__annotations__": dict(own)}
    # Those of the last fields; the first may have none.
    known = zip(reversed(cls.__struct_fields__), reversed(cls.__struct_defaults__), strict=False)
    for name, default in known:
        if name in own and default is not msgspec.NODEFAULT:
            if _is_factory(default):
                factories[name] = default.factory
            else:
                body[name] = default
    return body, factories


def _is_factory(default: Any) -> bool:
    return type(default).__module__ == "msgspec._core" and type(default).__name__ == "Factory"


def _config(cls: Any, own: Mapping[str, Any]) -> dict[str, Any]:
    config = {name: getattr(cls.__struct_config__, name) for name in _CONFIG}
    config["kw_only"] = bool(own) and own.keys().isdisjoint(cls.__match_args__)
    renamed = zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True)
    config["rename"] = {name: shown for name, shown in renamed if name != shown} or None
    return config


def _make(
    made: tuple[Any, str, tuple[type, ...], dict[str, Any], dict[str, Any]],
    factories: Mapping[str, Any],
    identity: str,
) -> Any:
    meta, name, bases, body, config = made
    fields = {at: msgspec.field(default_factory=factory) for at, factory in factories.items()}
    return origin._lookup_class_or_track(identity, meta(name, bases, body | fields, **config))


def _set(cls: Any, rest: Mapping[str, Any]) -> None:
    for name, value in rest.items():
        setattr(cls, name, value)
