"""Regions: which bytes of the arena are whose.

A region is a record of 64 bytes, in which its lock writes who has it (arena/record.py), and what follows: the memory
of a Value or Array. It is given out as long as anybody uses it: a session that has asked for it and neither dropped it
nor ended. A child that was forked uses what its parent had before it asks for anything itself; so each session has a
reference in the arena, a shared lock of the kernel on a byte that the child inherits, and what a lost session had
is kept while somebody has its reference.

What is given out is written to a journal first. A broker that was killed leaves both files, and the next one goes
on with them: programs hold locks and memory meanwhile, and never notice. What it finds there it keeps, for
it cannot know who uses it; when nobody has a reference at a broker's end, both are deleted.
"""

import contextlib
import os
import time
import zlib
from dataclasses import dataclass, field
from typing import Any, Final

from lightwork.sync.arena import ofd
from lightwork.sync.arena.layout import (
    ARENA,
    EPOCH,
    PAGE,
    RECORD,
    REFERENCES,
    new_record,
    record,
    reference_of,
)
from lightwork.sync.broker.protocol import HEAD, JOURNAL, frame, length_of, parts_of
from lightwork.sync.broker.unnamed import Name, Unnamed

_GROWTH: Final = 64 << 10
# Entries of the journal beyond twice what is given out.
_LONGEST: Final = 1000
_MODE: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class SpecDiffersError(Exception):
    """It is there already, made with another spec."""


class NoRoomError(Exception):
    """The file system has no room for it."""


@dataclass(slots=True, eq=False)
class Region:
    """Some bytes of the arena.

    Attributes:
        offset: Where its record begins.
        size: Of the record and what follows, as it is given out: a class of sizes.
        length: Of what follows the record.
        check: Of the spec, to tell another one.
        users: Sessions that have it.
        is_kept: Given out by a broker before: who uses it is not known.
    """

    offset: int
    size: int
    length: int
    check: int
    users: set[bytes] = field(default_factory=set)
    is_kept: bool = False


class Regions:
    """Gives them out. `folder` is a descriptor of the runtime folder.

    Attributes:
        by_place: By kind and name; changed here alone.
        epoch: A number that no other broker of this arena has; 0: there is no room to say it.
        unnamed: Memory among these is kept while it may be on its way.
    """

    def __init__(self, folder: int) -> None:
        self._folder = folder
        self._arena = os.open(ARENA, _MODE, 0o600, dir_fd=folder)
        self._journal = os.open(JOURNAL, _MODE | os.O_APPEND, 0o600, dir_fd=folder)
        self._noted = 0
        self.by_place: dict[Name, Region] = {}
        self._free: dict[int, list[int]] = {}
        self._end = PAGE
        self._lingering: set[bytes] = set()
        self.unnamed = Unnamed()
        self._replay()
        self._allocated = os.fstat(self._arena).st_size
        self.epoch = self._begin_epoch()

    def _begin_epoch(self) -> int:
        # By the clock: another than all before, also after files that were deleted.
        epoch = time.time_ns()
        try:
            self._grow(PAGE)
            os.pwrite(self._arena, epoch.to_bytes(8, "little"), EPOCH)
        except (NoRoomError, OSError):
            return 0
        return epoch

    def allot(self, session: bytes, kind: str, name: str, spec: Any) -> Region:
        """Return the region of a place, made if there is none; the session uses it from now on.

        Raises:
            SpecDiffersError: It is of another spec.
            NoRoomError: There is no room for it.
        """
        initial = spec[0] if kind == "value" else b""
        check = _check_of(spec)
        region = self.by_place.get((kind, name))
        if region is None:
            region = self._make(len(initial), check)
            os.pwrite(self._arena, new_record(time.time_ns() // 1000) + initial, region.offset)
            self._note((kind, name, region.offset, region.size, region.length, check))
            self.by_place[kind, name] = region
        elif (region.length, region.check) != (len(initial), check):
            raise SpecDiffersError(f"{region.length} bytes")
        region.users.add(session)
        return region

    def look(self, name: Name) -> tuple[int, int, bool]:
        """Return what the record of a lock says, token and pid, and whether it is locked.

        A pid of what is not locked is that of one who died with it. Of what is taken or let go just now the pid may be 0.
        """
        region = self.by_place[name]
        token, pid, _, _ = record.unpack(os.pread(self._arena, record.size, region.offset))
        return token, pid, ofd.is_locked(self._arena, region.offset)

    def lock_spec(self, name: Name) -> tuple[bool]:
        """Return what a lock was made with, of which only the check is kept."""
        return (self.by_place[name].check == _check_of((True,)),)

    def _make(self, length: int, check: int) -> Region:
        size = _size_class(RECORD + length)
        if free := self._free.get(size):
            return Region(free.pop(), size, length, check)
        step = min(size, PAGE)
        offset = -(-self._end // step) * step
        self._grow(offset + size)
        self._end = offset + size
        return Region(offset, size, length, check)

    def _grow(self, end: int) -> None:
        """Give the file its pages now: one that is missing when it is written to would kill the writer."""
        if end <= self._allocated:
            return
        wanted = -(-end // _GROWTH) * _GROWTH
        try:
            os.posix_fallocate(self._arena, self._allocated, wanted - self._allocated)
        except OSError as error:
            raise NoRoomError(f"the arena cannot have {wanted} bytes: {error.strerror}") from error
        self._allocated = wanted

    def drop(self, session: bytes, places: list[list[str]]) -> None:
        """Note that a session uses these no longer."""
        for kind, name in places:
            if region := self.by_place.get((kind, name)):
                self._leave(session, (kind, name), region)

    def leave(self, session: bytes) -> None:
        """Note that a session is lost: what nobody else uses is free, unless a child of it lives."""
        if self._is_referred(session):
            self._lingering.add(session)
            return
        self._lingering.discard(session)
        for place, region in [*self.by_place.items()]:
            self._leave(session, place, region)

    def look_again(self) -> None:
        """Look whether the children of lost sessions have ended too."""
        for session in [*self._lingering]:
            self.leave(session)

    def forget(self, name: Name) -> None:
        """Let go of memory that was kept because it might have been on its way."""
        region = self.by_place.get(name)
        if region is not None and not region.users:
            self._free_again(name, region)

    def _leave(self, session: bytes, name: Name, region: Region) -> None:
        if session in region.users:
            region.users.discard(session)
            # A lock that nobody has is as good as a new one.
            if not region.users and not (region.length and name in self.unnamed):
                self._free_again(name, region)

    def _free_again(self, name: Name, region: Region) -> None:
        if not region.is_kept:
            self._note((region.offset,))
            del self.by_place[name]
            self._free.setdefault(region.size, []).append(region.offset)

    def _is_referred(self, session: bytes) -> bool:
        return ofd.is_available() and ofd.is_locked(self._arena, reference_of(session))

    def close(self) -> None:
        """Delete the files, unless somebody still has a reference; the broker ends."""
        if not ofd.is_available() or not ofd.is_locked(self._arena, REFERENCES, length=0):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(ARENA, dir_fd=self._folder)
                os.unlink(JOURNAL, dir_fd=self._folder)
        os.close(self._arena)
        os.close(self._journal)

    def _note(self, entry: tuple[Any, ...]) -> None:
        self._noted += 1
        if self._noted > _LONGEST + 2 * len(self.by_place):
            self._shorten()
        os.write(self._journal, frame(entry))

    def _shorten(self) -> None:
        """Write the journal anew: what is given out now, without how it came to that."""
        self._noted = len(self.by_place)
        new = os.open(
            f"{JOURNAL}.new", _MODE | os.O_APPEND | os.O_TRUNC, 0o600, dir_fd=self._folder
        )
        with open(os.dup(new), "ab") as file:  # noqa: PTH123 - a descriptor
            file.writelines(
                frame((*place, one.offset, one.size, one.length, one.check))
                for place, one in self.by_place.items()
            )
        os.rename(f"{JOURNAL}.new", JOURNAL, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        os.close(self._journal)
        self._journal = new

    def _replay(self) -> None:
        """Take over what a broker before has given out, if somebody may use it; else begin anew."""
        if not ofd.is_available() or not ofd.is_locked(self._arena, REFERENCES, length=0):
            os.ftruncate(self._arena, 0)
            os.ftruncate(self._journal, 0)
        for entry in _entries(self._journal):
            if len(entry) == 1:
                self._forget(entry[0])
            else:
                kind, name, offset, size, length, check = entry
                self.by_place[kind, name] = Region(offset, size, length, check, is_kept=True)
                self._end = max(self._end, offset + size)

    def _forget(self, offset: int) -> None:
        for place, region in [*self.by_place.items()]:
            if region.offset == offset:
                del self.by_place[place]
                self._free.setdefault(region.size, []).append(offset)


def _check_of(spec: Any) -> int:
    return zlib.crc32(frame(spec))


def _size_class(size: int) -> int:
    """Return the power of two, from a record on, in which it fits."""
    return max(RECORD, 1 << (size - 1).bit_length())


def _entries(journal: int) -> list[tuple[Any, ...]]:
    """Return what a journal says; cut off what a killed broker began to write, and gave to nobody."""
    data = os.pread(journal, os.fstat(journal).st_size, 0)
    entries = []
    start = 0
    while len(data) - start >= HEAD:
        end = start + HEAD + length_of(data[start : start + HEAD])
        if end > len(data):
            break
        entries.append(parts_of(data[start + HEAD : end]))
        start = end
    os.ftruncate(journal, start)
    return entries
