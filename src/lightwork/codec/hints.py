"""Hints: what a function's annotations allow, at every place of its arguments.

A place is described by its *alternatives*: `list[Order] | None` allows a list
and None. The functions below step into containers with it: an item of that list
allows `Order`. An empty tuple allows no class at all, which is also the answer
for whatever cannot be understood: plain data needs no annotation.

Never looks at values. Annotations are resolved once per function; one that
cannot be resolved (its import is for type checkers only) costs that place only.
"""

import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

# The classes and generic aliases allowed at one place, unions flattened.
Hints = tuple[Any, ...]

NOTHING: Final[Hints] = ()
# Unions, and the one wrapper that get_type_hints leaves around a type.
_WRAPPERS: Final = (typing.Union, types.UnionType, typing.Final)
# Beyond this position every item of a tuple shares one cache entry.
_POSITIONS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class CallHints:
    """What one function allows for its arguments and its result."""

    function: str = "the function"
    positional: tuple[tuple[str, Hints], ...] = ()
    rest: tuple[str, Hints] = ("", NOTHING)
    keywords: Mapping[str, Hints] = field(default_factory=dict)
    more_keywords: Hints = NOTHING
    result: Hints = NOTHING

    def at(self, position: int) -> tuple[str, Hints]:
        """Return a positional argument's name and alternatives."""
        if position < len(self.positional):
            return self.positional[position]
        name, hints = self.rest
        return (f"{name or 'args'}[{position - len(self.positional)}]", hints)

    def named(self, keyword: str) -> Hints:
        """Return a keyword argument's alternatives."""
        return self.keywords.get(keyword, self.more_keywords)


UNKNOWN: Final = CallHints()


def call_hints(fn: Callable[..., Any] | None) -> CallHints:
    """Return what the function, or the function inside a task, allows."""
    if fn is None:
        return UNKNOWN
    try:
        return _call_hints(fn)
    except (TypeError, ValueError):
        # An unhashable callable, or one without a signature, such as some builtins.
        return UNKNOWN


def origin_of(hint: Any) -> Any:
    """Return the class behind a generic alias, or None."""
    return typing.get_origin(hint)


def alternatives(hint: Any) -> Hints:
    """Return the classes and generic aliases that an annotation stands for."""
    parts = _parts(hint)
    if parts is None:
        return (hint,) if _is_hashable(hint) else NOTHING
    return tuple(dict.fromkeys(found for part in parts for found in alternatives(part)))


@functools.lru_cache(maxsize=4096)
def _item_hints(hints: Hints, position: int) -> Hints:
    found: Hints = NOTHING
    for hint in hints:
        origin, args = origin_of(hint), typing.get_args(hint)
        if origin is tuple and args[1:] != (...,):
            found += alternatives(args[position]) if position < len(args) else NOTHING
        elif args and _is_a(origin, Iterable) and not _is_a(origin, Mapping):
            found += alternatives(args[0])
    return found


def item_hints(hints: Hints, position: int) -> Hints:
    """Return what an item of a list, tuple or set allows."""
    return _item_hints(hints, min(position, _POSITIONS)) if hints else NOTHING


@functools.lru_cache(maxsize=1024)
def key_hints(hints: Hints) -> Hints:
    """Return what a key of a dict allows."""
    return tuple(found for args in _mapping_args(hints) for found in alternatives(args[0]))


def value_hints(hints: Hints, key: object) -> Hints:
    """Return what the value under a key of a dict allows."""
    if not hints:
        return NOTHING
    named = _typed_dict_hints(hints).get(key, NOTHING) if isinstance(key, str) else NOTHING
    return _any_value_hints(hints) + named


@functools.lru_cache(maxsize=1024)
def field_hints(cls: type) -> Mapping[str, Hints]:
    """Return what the fields of a class allow."""
    return {name: alternatives(hint) for name, hint in _resolved(cls).items()}


@functools.lru_cache(maxsize=1024)
def _any_value_hints(hints: Hints) -> Hints:
    return tuple(found for args in _mapping_args(hints) for found in alternatives(args[1]))


@functools.lru_cache(maxsize=1024)
def _typed_dict_hints(hints: Hints) -> dict[object, Hints]:
    found: dict[object, Hints] = {}
    for hint in filter(typing.is_typeddict, hints):
        found.update(field_hints(hint))
    return found


def _mapping_args(hints: Hints) -> list[tuple[Any, ...]]:
    generic = [hint for hint in hints if _is_a(origin_of(hint), Mapping)]
    return [args for args in map(typing.get_args, generic) if len(args) == 2]


def _parts(hint: Any) -> tuple[Any, ...] | None:
    origin = origin_of(hint)
    if origin in _WRAPPERS:
        return typing.get_args(hint)
    if isinstance(hint, typing.NewType):
        return (hint.__supertype__,)
    if isinstance(hint, typing.TypeVar):
        return hint.__constraints__ or (() if hint.__bound__ is None else (hint.__bound__,))
    if type(hint).__name__ == "TypeAliasType":  # `type X = ...`, from Python 3.12 on
        return (hint.__value__,)
    return None


@functools.lru_cache(maxsize=1024)
def _call_hints(fn: Callable[..., Any]) -> CallHints:
    positional: list[tuple[str, Hints]] = []
    keywords: dict[str, Hints] = {}
    rest, more_keywords = ("", NOTHING), NOTHING
    resolved = _resolved(_annotated(fn))
    for name, parameter in inspect.signature(fn).parameters.items():
        hints = alternatives(resolved[name]) if name in resolved else NOTHING
        if parameter.kind is parameter.VAR_POSITIONAL:
            rest = (name, hints)
        elif parameter.kind is parameter.VAR_KEYWORD:
            more_keywords = hints
        else:
            keywords[name] = hints
            if parameter.kind is not parameter.KEYWORD_ONLY:
                positional.append((name, hints))
    return CallHints(
        function=getattr(fn, "__qualname__", type(fn).__qualname__),
        positional=tuple(positional),
        rest=rest,
        keywords=keywords,
        more_keywords=more_keywords,
        result=alternatives(resolved["return"]) if "return" in resolved else NOTHING,
    )


def _annotated(fn: Any) -> Any:
    """Return the object that carries the annotations of a callable."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    fn = inspect.unwrap(fn)
    if isinstance(fn, type):
        return fn.__init__  # type: ignore[misc]
    return fn if hasattr(fn, "__code__") or hasattr(fn, "__func__") else type(fn).__call__


def _resolved(annotated: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(annotated)
    except Exception:
        # Annotations may be any expression, so resolving may raise anything.
        return _resolved_one_by_one(annotated)


def _resolved_one_by_one(annotated: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    owners = reversed(annotated.__mro__) if isinstance(annotated, type) else (annotated,)
    for owner in owners:
        names = vars(inspect.getmodule(owner) or types)
        for name, hint in getattr(owner, "__annotations__", {}).items():
            lonely = types.SimpleNamespace(__annotations__={name: hint})
            try:
                found |= typing.get_type_hints(lonely, names)
            except Exception:  # noqa: S112 - this place allows nothing; the others still count
                continue
    return found


def _is_a(origin: object, wanted: type) -> bool:
    return isinstance(origin, type) and issubclass(origin, wanted)


def _is_hashable(hint: object) -> bool:
    try:
        hash(hint)
    except TypeError:
        return False
    return True
