"""Open pool: from words such as "processes:8" to a pool.

Imports next to nothing before the fork server is launched, which starts while the rest is imported.
"""

import sys
import warnings

from lightwork.errors import FallbackWarning, UsageError
from lightwork.pool.link.launch import launch

# As in the package's face: `typing` takes 12 ms to import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from lightwork.pool.executor.executor import Executor

KINDS = ("threads", "processes", "interpreters", "inline")


def parse_where(where: str) -> tuple[str, int | None]:
    """Return the kind of pool and how many calls it runs at a time (None: its default).

    Raises:
        UsageError: These are not words for a pool.
    """
    kind, colon, count = where.partition(":")
    if kind in KINDS and colon and not (count.isdecimal() and int(count)):
        raise UsageError(
            f"{where!r}: expected a count of 1 or more behind the colon; seen {count!r}"
        )
    if kind not in KINDS:
        raise UsageError(
            f"{where!r} is not a place to run calls; expected threads, processes, interpreters "
            'or inline, with an optional count such as "processes:8", or the URL of a store such as '
            '"sqlite:///work.db"'
        )
    if kind == "inline" and colon:
        raise UsageError(f"{where!r}: inline runs one call at a time and takes no count")
    return kind, int(count) if count else None


def open_pool(where: str, **options: "Any") -> "Executor":
    """Return a new pool; options are those of its class.

    Raises:
        UsageError: These are not words for a pool, or an option makes no sense.
        TypeError: `workers` is an option of stores.
    """
    kind, count = parse_where(where)
    if "workers" in options:
        say = "" if kind == "inline" else f"; say max_workers={options['workers']!r}"
        raise TypeError(
            f"executor({where!r}) got an unexpected keyword argument 'workers', which says how many "
            f"jobs of a store run in this program{say}"
        )
    if count is not None and options.setdefault("max_workers", count) != count:
        raise UsageError(
            f"{where!r} says {count} and max_workers says {options['max_workers']!r}; say it once"
        )
    if kind == "interpreters":
        return _open_interpreters(options)
    return _class_of(kind)(**options)


def count_slots(where: str) -> int:
    """Return how many jobs a worker with the pool that these words name runs at a time.

    Raises:
        UsageError: These are not words for a pool, or not for one of a worker.
    """
    kind, count = parse_where(where)
    if kind == "interpreters":
        raise UsageError(
            f"{where!r}: the codec of jobs (msgspec) cannot be loaded in sub-interpreters; "
            "use processes or threads for jobs"
        )
    # Not for pools: asked once by a worker.
    from lightwork.pool.executor.cpus import usable_cpus  # noqa: PLC0415 - see above

    return 1 if kind == "inline" else count or usable_cpus()


def check_pool_options(where: str, options: "Iterable[str]") -> None:
    """Raise unless a pool that these words name has options of these names.

    Raises:
        UsageError: It has not: before anything is opened.
    """
    kind, _count = parse_where(where)
    known = () if kind == "inline" else ("async_calls",) if kind == "threads" else options
    if unknown := [name for name in options if name not in known]:
        raise UsageError(
            f"{', '.join(unknown)}: not for {kind}; run jobs on processes, such as "
            'executor="processes:4"'
        )


def _class_of(kind: str) -> "type[Executor]":
    # Each has 5 to 30 ms of imports, which no program should pay for the others.
    if kind == "processes":
        # Elsewhere the executor itself says what is missing.
        if sys.platform == "linux":
            launch()
        from lightwork.pool.process.executor import ProcessExecutor  # noqa: PLC0415 - see above

        return ProcessExecutor
    if kind == "threads":
        from lightwork.pool.thread.executor import ThreadExecutor  # noqa: PLC0415

        return ThreadExecutor
    if kind == "interpreters":
        from lightwork.pool.thread.interpreter import InterpreterExecutor  # noqa: PLC0415

        return InterpreterExecutor
    from lightwork.pool.executor.inline import InlineExecutor  # noqa: PLC0415

    return InlineExecutor


def _open_interpreters(options: "dict[str, Any]") -> "Executor":
    from lightwork.pool.thread.subinterpreter import why_no_interpreters  # noqa: PLC0415 - as above

    reason = why_no_interpreters()
    if not reason:
        return _class_of("interpreters")(**options)
    warnings.warn(f"{reason}; the calls run on processes instead", FallbackWarning, stacklevel=4)
    if prefix := options.pop("thread_name_prefix", ""):
        options["name"] = prefix
    return _class_of("processes")(**options)
