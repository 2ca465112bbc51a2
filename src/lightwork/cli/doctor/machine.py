"""Machine: what is looked at without a database: programs, keys, limits of the system."""

import os
import platform
import resource
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from lightwork.cli.doctor.finding import Finding, judge
from lightwork.errors import UsageError
from lightwork.net.keys.finding import find_authkey
from lightwork.pool.executor.cpus import usable_cpus
from lightwork.terminal.amounts import show_size

_OLDEST_PYTHON: Final = (3, 11)
# Four for each child, and what the program itself has open.
_DESCRIPTORS: Final = 1024
_MEMORY: Final = 256 << 20
_SHARED: Final = "/dev/shm"  # noqa: S108 - only looked at
_PACKAGES: Final = ("SQLAlchemy", "alembic", "msgspec", "cloudpickle")


def look_at_machine(*, authkey_file: str) -> Iterator[Finding]:
    """Yield what was found."""
    yield judge(
        "python",
        platform.python_version(),
        is_good=sys.version_info >= _OLDEST_PYTHON,
        do="use Python 3.11 or newer",
        bad="fail",
    )
    for name in _PACKAGES:
        yield _package(name)
    yield _key(authkey_file)
    yield _descriptors()
    yield Finding("ok", "cpus", f"{usable_cpus()} of {os.cpu_count()}")
    yield _memory()
    yield _shared_memory()


def package_version(name: str) -> str:
    """Return the version of an installed package; "": there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _package(name: str) -> Finding:
    found = package_version(name)
    return judge(
        name.lower(), found or "missing", is_good=bool(found), do=f"pip install {name}", bad="fail"
    )


def _key(file: str) -> Finding:
    try:
        key = find_authkey(file=file)
    except UsageError as error:
        return Finding("fail", "authkey", "not usable", str(error))
    return Finding("ok", "authkey", f"{len(key)} bytes" if key else "none: values are plain data")


def _descriptors() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return judge(
        "open files",
        f"{soft} (ulimit -n), at most {hard}",
        is_good=soft < 0 or soft >= _DESCRIPTORS,
        do=f"raise it: ulimit -n {max(_DESCRIPTORS, 4096)}; a child takes four of them",
    )


def _memory() -> Finding:
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    allowed = min(_group_limit(), whole)
    seen = show_size(allowed) if allowed == whole else f"{show_size(allowed)} of {show_size(whole)}"
    do = "give the container more, or start fewer children: lightwork worker -j 1"
    return judge("memory", seen, is_good=allowed >= _MEMORY, do=do)


def _group_limit() -> int:
    """Return what the cgroup allows, as seen from inside of a container."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            text = Path("/sys/fs/cgroup", name).read_text().strip()
        except OSError:
            continue
        if text.isdecimal():
            return int(text)
    return sys.maxsize


def _shared_memory() -> Finding:
    try:
        size = shutil.disk_usage(_SHARED).total
    except OSError:
        return Finding("ok", _SHARED, "missing, and not needed: pools use memory without a name")
    return Finding("ok", _SHARED, f"{show_size(size)}, which pools do not use")
