"""Modules: importing what a person named on the command line, this folder first."""

import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from lightwork.errors import UsageError
from lightwork.tasks import Task
from lightwork.work.catalog import import_module


def import_named(name: str) -> ModuleType:
    """Import a module as seen from this folder.

    Raises:
        UsageError: It cannot be imported; a module that raises is shown with its traceback.
    """
    if name.endswith(".py"):
        raise UsageError(f"{name!r} is a file; name its module: {Path(name).stem}")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return import_module(name)
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        # A script that runs without `if __name__ == "__main__"` may even exit here.
        raise UsageError(
            f"the module {name!r} cannot be imported: it raised {type(error).__name__}\n\n"
            f"{traceback.format_exc().rstrip()}"
        ) from error


def find_function(name: str) -> Callable[..., Any]:
    """Import the function that MODULE:FUNCTION names.

    Raises:
        UsageError: It is not there, or cannot be called.
    """
    module_name, colon, path = name.partition(":")
    if not colon or not module_name or not path:
        raise UsageError(f"a function is named MODULE:FUNCTION; seen: {name!r}")
    found: Any = import_named(module_name)
    for part in path.split("."):
        if not hasattr(found, part):
            raise UsageError(f"the module {module_name!r} has no {path!r}{_say_near(found)}")
        found = getattr(found, part)
    if not callable(found):
        raise UsageError(f"{name} is {type(found).__name__}, not a function")
    return found  # type: ignore[no-any-return]  # a callable of unknown type


def _say_near(holder: Any) -> str:
    names = sorted(
        name
        for name, value in vars(holder).items()
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, Task))
    )
    return f"; it has {', '.join(names[:8])}" if names else ""
