"""Arguments: in what form they go from the thread that submits into a pool.

Small ones are a pickle that travels in packets. Large ones lie in the arena, and
what travels says where; whoever needs them keeps the extent. References that are
among them are kept likewise.
"""

from typing import Any, NamedTuple

from lightwork.pool.arena import Arena, Extent
from lightwork.pool.bulk import BULK_MIN
from lightwork.pool.pickling import dump, dump_apart
from lightwork.pool.ref import FLAG
from lightwork.pool.stored import StoredRef, collect_refs


class Arguments(NamedTuple):
    """Packed arguments, and what must be kept until they were used."""

    body: bytes
    extent: Extent | None = None
    refs: tuple[StoredRef[Any], ...] = ()


def pack_arguments(arena: Arena, arguments: object) -> Arguments:
    """Pack what a call is given.

    Raises:
        Exception: Whatever pickling raised, or OSError: there is no memory for it.
    """
    if not arena.has_refs:
        return _pack(arena, arguments)
    packed, refs = collect_refs(arena, lambda: _pack(arena, arguments))
    return packed._replace(refs=refs)


def _pack(arena: Arena, arguments: object) -> Arguments:
    data, apart = dump_apart(arguments)
    if not apart and len(data) < BULK_MIN:
        return Arguments(data)
    if (put := arena.put([data, *apart])) is not None:
        return Arguments(*put)
    return Arguments(dump(arguments) if apart else data)


def store_ref(arena: Arena, value: Any, number: int) -> StoredRef[Any] | None:
    """Put an object into the arena; None: not now, see Arena.put.

    Raises:
        Exception: As for `pack_arguments`.
    """
    data, apart = dump_apart(value)
    if (put := arena.put([data, *apart, FLAG])) is None:
        return None
    arena.has_refs = True
    place, extent = put
    return StoredRef(value, number, place, arena=arena, extent=extent)
