"""Mapping: values by key, in the order in which keys came, each with a version; the machine of Dict.

Entries lie in cells: of a large one a host reads only what is asked for. A version is never given twice, so that
what was deleted and written again is told from what was left alone.
"""

import heapq
import struct
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from lightwork.machines.shapes import Answer, Ask, Caller, Cells, Event, Plain

# Number and version, in front of the value.
_HEAD: Final = struct.Struct(">QQ")


class Entry(NamedTuple):
    """What a cell says.

    Attributes:
        number: Smaller: its key came earlier.
        version: Of its value.
        value: As it was given.
    """

    number: int
    version: int
    value: bytes


@dataclass(frozen=True, slots=True)
class MappingState:
    """How many entries there are, and the last version that was given."""

    count: int = 0
    version: int = 0


class MappingMachine:
    """Values are bytes, as are keys; an entry is told as (version, value), or None if there is none.

    - get (key), pop (key): the entry
    - set (key, value): its version
    - add (key, value), if there is none of the key: (done, the entry that is there now)
    - swap (key, version, value), if this is still its version: (done, entry or None)
    - delete (key): whether there was one
    - keys, items (after, limit): those that come next, as (number, key) or (number, key, value);
      `after` is the number of the last one that was read, 0 at first
    - len; clear
    """

    kind = "dict"

    def begin(self, _spec: tuple[Plain, ...]) -> MappingState:
        """Return an empty one."""
        return MappingState()

    def step(
        self, state: MappingState, cells: Cells, event: Event
    ) -> tuple[MappingState, tuple[Answer, ...]]:
        """Return the state after an event, and whom it answers."""
        match event:
            case Ask(caller, "len"):
                return state, (Answer(caller, state.count),)
            case Ask(caller, "get", (bytes(key),)):
                return state, (Answer(caller, _told(_entry(cells, key))),)
            case Ask(caller, "set", (bytes(key), bytes(value))):
                after = _write(state, cells, key, value)
                return after, (Answer(caller, after.version),)
            case Ask(caller, "add" | "swap" as verb, (bytes(key), *version, bytes(value))):
                found = _entry(cells, key)
                is_due = found is None if verb == "add" else _has_version(found, version)
                return _write_if(is_due, state, cells, (caller, key, value))
            case Ask(caller, "pop" | "delete" as verb, (bytes(key),)):
                after, found = _take(state, cells, key)
                return after, (
                    Answer(caller, _told(found) if verb == "pop" else found is not None),
                )
            case Ask(caller, "keys" | "items" as verb, (int(after_number), int(limit))):
                return state, (Answer(caller, _page(cells, after_number, limit, verb)),)
            case Ask(caller, "clear"):
                cells.clear()
                return replace(state, count=0), (Answer(caller),)
            case Ask():
                raise AssertionError(f"a dict was asked for what it does not know: {event}")
        # Nobody waits for a dict, and nobody holds it.
        return state, ()


def _entry(cells: Cells, key: bytes) -> Entry | None:
    cell = cells.get(key)
    return None if cell is None else _unpacked(cell)


def _unpacked(cell: bytes) -> Entry:
    number, version = _HEAD.unpack_from(cell)
    return Entry(number, version, cell[_HEAD.size :])


def _told(entry: Entry | None) -> tuple[int, bytes] | None:
    return None if entry is None else (entry.version, entry.value)


def _has_version(entry: Entry | None, version: list[Plain]) -> bool:
    return entry is not None and [entry.version] == version


def _write(state: MappingState, cells: Cells, key: bytes, value: bytes) -> MappingState:
    found = _entry(cells, key)
    version = state.version + 1
    # The number of a new key is its first version: both only grow.
    number = version if found is None else found.number
    cells[key] = _HEAD.pack(number, version) + value
    return MappingState(state.count + (found is None), version)


def _write_if(
    is_due: bool,  # noqa: FBT001 - what the two verbs that write conditionally differ in
    state: MappingState,
    cells: Cells,
    asked: tuple[Caller, bytes, bytes],
) -> tuple[MappingState, tuple[Answer, ...]]:
    caller, key, value = asked
    after = _write(state, cells, key, value) if is_due else state
    return after, (Answer(caller, (is_due, _told(_entry(cells, key)))),)


def _take(state: MappingState, cells: Cells, key: bytes) -> tuple[MappingState, Entry | None]:
    found = _entry(cells, key)
    if found is None:
        return state, None
    del cells[key]
    return replace(state, count=state.count - 1), found


def _page(cells: Cells, after: int, limit: int, verb: str) -> tuple[Plain, ...]:
    later = (
        (entry.number, key, entry.value)
        for key, cell in cells.items()
        if (entry := _unpacked(cell)).number > after
    )
    page = heapq.nsmallest(limit, later)
    return tuple(found if verb == "items" else found[:2] for found in page)
