"""Arguments: in what form they go from the thread that submits into a pool.

Small ones are a pickle that travels in packets. Large ones lie in the arena, and
what travels says where; whoever needs them keeps the extent. References that are
among them are kept likewise.
"""

from typing import Any, TypeAlias

from lightwork.pool.memory.argument_arena import Arena, Extent
from lightwork.pool.memory.large_value import BULK_MIN
from lightwork.pool.wire.pickling import dump, dump_apart, dump_arguments
from lightwork.pool.wire.ref import FLAG
from lightwork.pool.wire.ref_parent import ParentRef, collect_refs

# What travels in packets, and what must be kept until it was used: the extent of large
# arguments, and references. No class: every call makes one.
Arguments: TypeAlias = tuple[bytes, Extent | None, tuple[ParentRef[Any], ...]]


def pack_arguments(arena: Arena, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
    """Pack what a call is given.

    Raises:
        Exception: Whatever pickling raised, or OSError: there is no memory for it.
    """
    if not arena.has_refs:
        return _pack(arena, args, kwargs)
    (body, extent, _), refs = collect_refs(arena, lambda: _pack(arena, args, kwargs))
    return body, extent, refs


def _pack(arena: Arena, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
    data, apart = dump_arguments(args, kwargs)
    if not apart and len(data) < BULK_MIN:
        return data, None, ()
    if (put := arena.put([data, *apart])) is not None:
        return *put, ()
    return dump((args, kwargs)) if apart else data, None, ()


def store_ref(arena: Arena, value: Any, number: int) -> ParentRef[Any] | None:
    """Put an object into the arena; None: not now, see Arena.put.

    Raises:
        Exception: As for `pack_arguments`.
    """
    data, apart = dump_apart(value)
    if (put := arena.put([data, *apart, FLAG])) is None:
        return None
    arena.has_refs = True
    place, extent = put
    return ParentRef(value, number, place, arena=arena, extent=extent)
