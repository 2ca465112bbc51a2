"""Executors: one function that opens any of them.

Change one string and the same program runs on threads, on processes, or on
workers that share a database.
"""

import os
from typing import TYPE_CHECKING, Any, Literal, overload

from lightwork.errors import UsageError
from lightwork.pool.choose import open_pool
from lightwork.pool.executor import Executor
from lightwork.pool.inline import InlineExecutor
from lightwork.pool.process import ProcessExecutor
from lightwork.pool.thread import ThreadExecutor

if TYPE_CHECKING:
    from lightwork.durable.executor import DurableExecutor


@overload
def executor(where: Literal["threads"], **options: Any) -> ThreadExecutor: ...


@overload
def executor(where: Literal["processes"], **options: Any) -> ProcessExecutor: ...


@overload
def executor(where: Literal["inline"]) -> InlineExecutor: ...


@overload
def executor(where: str, *, workers: int | str, **options: Any) -> "DurableExecutor": ...


@overload
def executor(where: str, *, authkey: bytes, **options: Any) -> "DurableExecutor": ...


@overload
def executor(where: str | None = None, **options: Any) -> Executor: ...


def executor(where: str | None = None, **options: Any) -> Executor:
    """Open an executor.

    Type checkers cannot read a URL: `executor(url, workers=...)` is typed as DurableExecutor,
    without an option that only a store takes it is an Executor; `DurableExecutor(url)`
    says it too.

    Args:
        where: "threads:8", "processes:8", "interpreters:8", "inline", or the URL of a store
            such as "sqlite:///work.db". Default: LIGHTWORK_URL, else "processes".
        options: Those of the class behind it: ThreadExecutor, ProcessExecutor,
            InterpreterExecutor, InlineExecutor or DurableExecutor. A Python without
            sub-interpreters runs "interpreters" on processes and warns (FallbackWarning).

    Raises:
        UsageError: `where` means nothing, or an option makes no sense.
        StoreError: The store cannot be used.
    """
    place = where or os.environ.get("LIGHTWORK_URL") or "processes"
    if not isinstance(place, str):
        raise UsageError(f"where must be text; seen: {place!r}")
    return _open_store(place, options) if "://" in place else open_pool(place, **options)


def _open_store(url: str, options: dict[str, Any]) -> Executor:
    # SQLAlchemy takes half a second to import, and a program without a store never needs it.
    from lightwork.durable.executor import DurableExecutor  # noqa: PLC0415 - see above

    return DurableExecutor(url, **options)
