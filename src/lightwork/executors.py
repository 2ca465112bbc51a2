"""Executors: one function that opens any of them.

Change one string and the same program runs on threads, on processes, or on
workers that share a database.
"""

import os

from lightwork.errors import UsageError
from lightwork.pool.open_pool import open_pool

# As in the package's face: `typing` takes 12 ms to import, and this is imported before
# anything is started (pool/open_pool.py).
TYPE_CHECKING = False
# How words and URLs of Dask clusters begin.
_DASK = frozenset({"dask", "dask+tls"})

if TYPE_CHECKING:
    from typing import Any, Literal, overload

    from lightwork.durable.executor import DurableExecutor
    from lightwork.pool.executor.executor import Executor
    from lightwork.pool.executor.inline import InlineExecutor
    from lightwork.pool.process.executor import ProcessExecutor
    from lightwork.pool.thread.executor import ThreadExecutor

if TYPE_CHECKING:

    @overload
    def executor(where: Literal["threads"], **options: Any) -> ThreadExecutor: ...

    @overload
    def executor(where: Literal["processes"], **options: Any) -> ProcessExecutor: ...

    @overload
    def executor(where: Literal["inline"]) -> InlineExecutor: ...

    @overload
    def executor(where: str, *, workers: int | str, **options: Any) -> DurableExecutor: ...

    @overload
    def executor(where: str, *, authkey: bytes, **options: Any) -> DurableExecutor: ...

    @overload
    def executor(where: str | None = None, **options: Any) -> Executor: ...


def executor(where: str | None = None, **options: "Any") -> "Executor":
    """Open an executor.

    Type checkers cannot read a URL: `executor(url, workers=...)` is typed as DurableExecutor,
    without an option that only a store takes it is an Executor; `DurableExecutor(url)`
    says it too.

    Args:
        where: "threads:8", "processes:8", "interpreters:8", "inline", the URL of a store such as
            "sqlite:///work.db", or of a server that offers one, "http://host:5000", or a Dask
            cluster: "dask://host:8786", or "dask:8" for one on this machine. Default:
            LIGHTWORK_URL, else "processes".
        options: Those of the class behind it: ThreadExecutor, ProcessExecutor,
            InterpreterExecutor, InlineExecutor, DurableExecutor or DaskExecutor. A Python without
            sub-interpreters runs "interpreters" on processes and warns (FallbackWarning).

    Raises:
        UsageError: `where` means nothing, or an option makes no sense.
        StoreError: The store cannot be used.
        PoolError: No Dask scheduler answers.
    """
    place = where or os.environ.get("LIGHTWORK_URL") or "processes"
    if not isinstance(place, str):
        raise UsageError(f"where must be text; seen: {place!r}")
    if place.partition(":")[0] in _DASK:
        return _open_dask(place, options)
    return _open_store(place, options) if "://" in place else open_pool(place, **options)


def _open_dask(place: str, options: "dict[str, Any]") -> "Executor":
    """Open "dask", "dask:4" (as many children) or the URL of a scheduler."""
    try:
        # An extra, and half a second to import.
        from lightwork.dask.executor import DaskExecutor  # noqa: PLC0415 - see above
    except ImportError as error:
        raise UsageError(
            f"{place!r} needs Dask, which cannot be imported: {error}. Install it: "
            'pip install "lightwork[dask]"'
        ) from error
    count = place.removeprefix("dask:")
    if not count.isdecimal():
        return DaskExecutor(place, **options)
    if options.setdefault("max_workers", int(count)) != int(count):
        raise UsageError(
            f"{place!r} says {count} and max_workers says {options['max_workers']!r}; say it once"
        )
    return DaskExecutor("dask", **options)


def _open_store(url: str, options: "dict[str, Any]") -> "Executor":
    # SQLAlchemy takes half a second to import, and a program without a store never needs it.
    from lightwork.durable.executor import DurableExecutor  # noqa: PLC0415 - see above

    return DurableExecutor(url, **options)
