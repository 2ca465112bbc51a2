"""Parts: what scripts are made of beside functions, and cloudpickle 3.1.3 cannot copy.

What stands in the way of each:

    functools.cache, lru_cache   found by name only, and no child finds a name of the script
    functools.singledispatch     holds a view of its registry, and a table with weak keys
    functools.cached_property    holds a lock, before Python 3.12
    __slots__                    forgotten: the copy has a dictionary that the original has not
"""

import functools
import gc
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from cloudpickle.cloudpickle import _make_skeleton_class

# In the arguments of cloudpickle's `_make_skeleton_class`: what the class is made with.
_NAMESPACE_AT: Final = 3


def with_slots(cls: type, reduced: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return how a class is rebuilt, with its slots."""
    slots = vars(cls).get("__slots__")
    if reduced[0] is not _make_skeleton_class or not isinstance(slots, str | tuple | list):
        return reduced
    if NamedTuple in getattr(cls, "__orig_bases__", ()):
        return reduced  # It is made with slots of its own, and refuses to be given any.
    args = list(reduced[1])
    args[_NAMESPACE_AT] = {**args[_NAMESPACE_AT], "__slots__": slots}
    return reduced[0], tuple(args), *reduced[2:]


def _reduce_cached(cached: Any) -> str | tuple[Any, ...]:
    if _is_importable(cached):
        name: str = cached.__qualname__
        return name
    limits = cached.cache_parameters()
    # Made anew by lru_cache itself.
    state = {name: part for name, part in vars(cached).items() if name != "cache_parameters"}
    return _rebuild_cached, (cached.__wrapped__, limits["maxsize"], limits["typed"]), state


def _is_importable(value: Any) -> bool:
    module = sys.modules.get(getattr(value, "__module__", None) or "")
    if module is None or module.__name__ == "__main__":
        return False
    found: Any = module
    for name in value.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is value


def _rebuild_cached(
    function: Callable[..., Any], maxsize: int | None, typed: object
) -> Callable[..., Any]:
    return functools.lru_cache(maxsize, typed=bool(typed))(function)


def _reduce_view(view: types.MappingProxyType[Any, Any]) -> tuple[Any, ...]:
    # The mapping itself: of a registry that others write to, the copy sees what they write.
    (mapping,) = gc.get_referents(view)
    return types.MappingProxyType, (mapping,)


def _reduce_weak_keys(table: "WeakKeyDictionary[Any, Any]") -> tuple[Any, ...]:
    return WeakKeyDictionary, (dict(table),)


def _reduce_property(found: "functools.cached_property[Any]") -> tuple[Any, ...]:
    name = found.attrname
    return _rebuild_property, (found.func, name)


def _rebuild_property(
    function: Callable[[Any], Any], name: str | None
) -> "functools.cached_property[Any]":
    made = functools.cached_property(function)
    if name is not None:
        made.__set_name__(object, name)
    return made


# For a pickler's dispatch table.
REDUCERS: Final[Mapping[type, Callable[[Any], Any]]] = {
    functools._lru_cache_wrapper: _reduce_cached,
    types.MappingProxyType: _reduce_view,
    WeakKeyDictionary: _reduce_weak_keys,
    functools.cached_property: _reduce_property,
}
