"""Subinterpreter: a second Python inside of this process, with a GIL of its own.

The one place that knows how an interpreter offers them; all that a pool needs is
to make one, to run source in it, and to end it:

    CPython 3.14 and later   `concurrent.interpreters`, public and documented. Written by its
                             documentation: NOT yet run on such an interpreter, only on 3.13 with
                             `test.support.interpreters`, which offers the same functions.
    CPython 3.13             `_interpreters`, private. All tests run with 3.13.0.
    CPython 3.12             `_xxsubinterpreters`: not used. With 3.12.1 the process aborted at its
                             exit, once such an interpreter had imported extension modules.
    before 3.12, others      all interpreters share one GIL, or there are none.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


def why_no_interpreters() -> str:
    """Return why this Python has no sub-interpreters for us; "" if it has."""
    if _find() is not None:
        return ""
    seen = f"{sys.implementation.name} {sys.version_info.major}.{sys.version_info.minor}"
    return f"sub-interpreters need CPython 3.13 or later; seen: {seen}"


class Subinterpreter:
    """One sub-interpreter; used by one thread at a time.

    Raises:
        RuntimeError: This Python has none; see `why_no_interpreters`.
    """

    def __init__(self) -> None:
        primitives = _find()
        if primitives is None:
            raise RuntimeError(why_no_interpreters())
        self._primitives: Any = primitives
        self._made: Any = primitives.create()

    def exec(self, source: str) -> str:
        """Run source in its `__main__`; return the traceback of what that raised, or ""."""
        if self._primitives.__name__ == "_interpreters":
            failure = self._primitives.exec(self._made, source, restrict=True)
            return "" if failure is None else str(failure.errdisplay or failure.formatted)
        try:
            self._made.exec(source)
        except self._primitives.ExecutionFailed as error:
            return str(error)
        return ""

    def close(self) -> None:
        """End it; waits for the threads that were started in it."""
        if self._primitives.__name__ == "_interpreters":
            self._primitives.destroy(self._made, restrict=True)
        else:
            self._made.close()


def _find() -> ModuleType | None:
    if sys.implementation.name != "cpython" or sys.version_info < (3, 13):
        return None
    # By name: on most interpreters there is at most one of them.
    for name in ("concurrent.interpreters", "_interpreters"):
        try:
            return import_module(name)
        except ImportError:
            continue
    return None
