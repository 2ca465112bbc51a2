"""Balance: what many do at once to one number; it must be zero in the end."""

import struct

from lightwork.sync.arena.lock import ArenaLock
from lightwork.sync.arena.memory import ArenaMemory

_number = struct.Struct("<q")


def change(lock: ArenaLock, memory: ArenaMemory) -> None:
    """Add and take away under the lock; put right what a killed one has left."""
    _, is_inherited = lock.acquire(None)
    try:
        if is_inherited:
            memory.write(0, _number.pack(0))
        _add(memory, 7)
        _add(memory, -7)
    finally:
        lock.release()


def _add(memory: ArenaMemory, amount: int) -> None:
    memory.write(0, _number.pack(_number.unpack(memory.read(0, 8))[0] + amount))
