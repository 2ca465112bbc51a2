"""Choose: from words such as "processes:8" to a pool."""

import warnings
from typing import Any, Final

from lightwork.errors import FallbackWarning, UsageError
from lightwork.pool.cpus import usable_cpus
from lightwork.pool.executor import Executor
from lightwork.pool.inline import InlineExecutor
from lightwork.pool.interpreter import InterpreterExecutor
from lightwork.pool.process import ProcessExecutor
from lightwork.pool.subinterpreter import why_no_interpreters
from lightwork.pool.thread import ThreadExecutor

KINDS: Final = ("threads", "processes", "interpreters", "inline")


def parse_where(where: str) -> tuple[str, int | None]:
    """Return the kind of pool and how many calls it runs at a time (None: its default).

    Raises:
        UsageError: These are not words for a pool.
    """
    kind, colon, count = where.partition(":")
    if kind not in KINDS or (colon and not count.isdecimal()) or (count and not int(count)):
        raise UsageError(
            f"{where!r} is not a place to run calls; expected threads, processes, interpreters "
            'or inline, with an optional count such as "processes:8", or the URL of a store such as '
            '"sqlite:///work.db"'
        )
    if kind == "inline" and colon:
        raise UsageError(f"{where!r}: inline runs one call at a time and takes no count")
    return kind, int(count) if count else None


def open_pool(where: str, **options: Any) -> Executor:
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
    if kind == "inline":
        return InlineExecutor(**options)
    if kind == "interpreters":
        return _open_interpreters(options)
    return ProcessExecutor(**options) if kind == "processes" else ThreadExecutor(**options)


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
    return 1 if kind == "inline" else count or usable_cpus()


def _open_interpreters(options: dict[str, Any]) -> Executor:
    reason = why_no_interpreters()
    if not reason:
        return InterpreterExecutor(**options)
    warnings.warn(f"{reason}; the calls run on processes instead", FallbackWarning, stacklevel=4)
    if prefix := options.pop("thread_name_prefix", ""):
        options["name"] = prefix
    return ProcessExecutor(**options)
