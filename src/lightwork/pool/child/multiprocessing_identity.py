"""Multiprocessing identity: what multiprocessing says in a child about this process and its program.

Libraries ask it whether they run in the main program: `current_process().name`,
`parent_process() is None`. A child of a pool would say yes to both, because
multiprocessing has not made it. Importing it for that would cost every child 15 ms,
so what it says is put right when somebody else imports it.
"""

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Final

_MODULE: Final = "multiprocessing.process"


def pose(name: str, program: int) -> None:
    """Have multiprocessing call this process `name`, and the program with this pid its parent."""
    if (module := sys.modules.get(_MODULE)) is not None:
        _put_right(module, name, program)
    else:
        sys.meta_path.insert(0, _Finder(name, program))


class _Finder:
    """Finds nothing but multiprocessing.process, once, and puts it right after its import."""

    def __init__(self, name: str, program: int) -> None:
        self._name = name
        self._program = program

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find it as Python itself does, and run a little more than its code."""
        if name != _MODULE:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            run = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                run(module)
                _put_right(module, self._name, self._program)

            loader.exec_module = exec_module
        return spec


def _put_right(module: Any, name: str, program: int) -> None:
    own = module._current_process
    own._name = name
    own._parent_pid = program
    try:
        # Readable when the program has ended: what join() and is_alive() wait for.
        sentinel = os.pidfd_open(program)
    except OSError:
        return  # It is gone, and so are we in a moment.
    module._parent_process = module._ParentProcess("MainProcess", program, sentinel)
