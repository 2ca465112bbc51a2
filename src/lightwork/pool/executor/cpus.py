"""CPUs: how many this process may really use.

The machine's count is not it: a container with two CPUs of sixty-four would get
sixty-four children. What counts is the smaller of the affinity mask and the quota
of every control group above this process, rounded up: half a CPU still runs one
child.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path  # 10 ms to import.

_CGROUPS: Final = "/sys/fs/cgroup"
_OWN_GROUP: Final = "/proc/self/cgroup"


def usable_cpus(groups: "Path | str" = _CGROUPS, own: "Path | str" = _OWN_GROUP) -> int:
    """Return how many CPUs this process may use, at least 1.

    Args:
        groups: Where control groups are mounted.
        own: The file that names the groups of this process.
    """
    allowed = _affinity()
    for quota in _quotas(groups, own):
        allowed = min(allowed, max(-int(-quota // 1), 1))
    return allowed


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def _quotas(groups: "Path | str", own: "Path | str") -> Iterator[float]:
    for line in _read(own).splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield from _unified_quotas(f"{groups}", path)
        elif "cpu" in controllers.split(","):
            yield from _legacy_quotas(f"{groups}/cpu", path)


def _unified_quotas(root: str, path: str) -> Iterator[float]:
    # Version 2: a limit of any group above holds too.
    for folder in _upwards(root, path):
        limit, _, period = _read(f"{folder}/cpu.max").partition(" ")
        if limit.isdecimal() and period.strip().isdecimal() and int(period):
            yield int(limit) / int(period)


def _legacy_quotas(root: str, path: str) -> Iterator[float]:
    for folder in _upwards(root, path):
        limit = _read(f"{folder}/cpu.cfs_quota_us").strip()
        period = _read(f"{folder}/cpu.cfs_period_us").strip()
        # -1 means no limit.
        if limit.isdecimal() and period.isdecimal() and int(period):
            yield int(limit) / int(period)


def _upwards(root: str, path: str) -> Iterator[str]:
    parts = [part for part in path.split("/") if part]
    for count in range(len(parts), -1, -1):
        yield "/".join([root, *parts[:count]])


def _read(path: "Path | str") -> str:
    try:
        with open(path) as file:  # noqa: PTH123 - see above
            return file.read()
    except OSError:
        return ""
