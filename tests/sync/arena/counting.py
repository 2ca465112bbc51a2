"""Counting: a number that grows by compare and swap, without a lock."""

from lightwork.sync.arena.memory import ArenaMemory


def count_up(memory: ArenaMemory, times: int) -> None:
    """Add one, as often as asked."""
    for _ in range(times):
        while True:
            seen = memory.read(0, 8)
            if memory.swap(0, seen, (int.from_bytes(seen, "little") + 1).to_bytes(8, "little")):
                break
