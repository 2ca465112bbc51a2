"""Choose: from words such as "processes:8" to a pool."""

from typing import Any, Final

from lightwork.errors import UsageError
from lightwork.pool.cpus import usable_cpus
from lightwork.pool.executor import Executor
from lightwork.pool.inline import InlineExecutor
from lightwork.pool.process import ProcessExecutor
from lightwork.pool.thread import ThreadExecutor

KINDS: Final = ("threads", "processes", "inline")


def parse_where(where: str) -> tuple[str, int | None]:
    """Return the kind of pool and how many calls it runs at a time (None: its default).

    Raises:
        UsageError: These are not words for a pool.
    """
    kind, colon, count = where.partition(":")
    if kind not in KINDS or (colon and not count.isdecimal()) or (count and not int(count)):
        raise UsageError(
            f"{where!r} is not a place to run calls; expected threads, processes or inline, "
            'with an optional count such as "processes:8", or the URL of a store such as '
            '"sqlite:///work.db"'
        )
    if kind == "inline" and colon:
        raise UsageError(f"{where!r}: inline runs one call at a time and takes no count")
    return kind, int(count) if count else None


def open_pool(where: str, **options: Any) -> Executor:
    """Return a new pool; options are those of its class.

    Raises:
        UsageError: These are not words for a pool, or an option makes no sense.
    """
    kind, count = parse_where(where)
    if count is not None and options.setdefault("max_workers", count) != count:
        raise UsageError(
            f"{where!r} says {count} and max_workers says {options['max_workers']!r}; say it once"
        )
    if kind == "inline":
        return InlineExecutor(**options)
    return ProcessExecutor(**options) if kind == "processes" else ThreadExecutor(**options)


def count_slots(where: str) -> int:
    """Return how many calls the pool that these words name runs at a time."""
    kind, count = parse_where(where)
    return 1 if kind == "inline" else count or usable_cpus()
