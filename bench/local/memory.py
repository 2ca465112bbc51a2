"""Memory: what the processes behind this one have for themselves, read from /proc."""

import os
import statistics
from collections.abc import Iterator
from pathlib import Path

from local.calls import say_pid
from local.peers import Side
from local.rows import spread


def idle_memory(side: Side) -> dict[str, float]:
    """Return, in MB, what a child has for itself, and what all of them and their servers have."""
    private = {pid: private_bytes(pid) / 1e6 for pid in descendants(os.getpid())}
    # Who runs calls is only known from calls: asked now, so that the asking is not weighed.
    # A side may have started one child only, as it had one call.
    children = set(spread(side, say_pid, 8 * side.children)) & set(private)
    if not children:
        raise RuntimeError(f"expected the children among {sorted(private)}, found none")
    return {
        "child": statistics.median(private[pid] for pid in children),
        "all": sum(private.values()),
    }


def descendants(pid: int) -> Iterator[int]:
    """Return the processes that this one started, and those that they did."""
    parents = dict(_parents())
    reached = {pid}
    # A child may be listed before its parent, if numbers have wrapped around.
    while found := {child for child, parent in parents.items() if parent in reached} - reached:
        yield from sorted(found)
        reached |= found


def private_bytes(pid: int) -> int:
    """Return the memory that would be free if this process ended."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Private_"))


def _parents() -> Iterator[tuple[int, int]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # It has just ended.
        # The name before the last parenthesis may contain anything.
        yield int(folder.name), int(stat.rpartition(")")[2].split()[1])
