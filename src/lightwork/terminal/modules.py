"""Modules: importing what a person named on the command line, this folder first."""

import contextlib
import difflib
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from lightwork.errors import UsageError
from lightwork.model import Policy
from lightwork.tasks.task import Task
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
            raise UsageError(
                f"the module {module_name!r} has no {path!r}{_say_near(found, module_name, part)}"
            )
        found = getattr(found, part)
    if not callable(found):
        raise UsageError(f"{name} is {type(found).__name__}, not a function")
    return found  # type: ignore[no-any-return]  # a callable of unknown type


def with_policy(
    fn: Callable[..., Any], *, timeout: float, retries: int | None = None
) -> Callable[..., Any]:
    """Return the function under what the command line says; else (0, None) as it is."""
    changes: dict[str, Any] = {"timeout": timeout} if timeout else {}
    if retries is not None:
        changes["retries"] = retries
    if not changes:
        return fn
    task = fn if isinstance(fn, Task) else Task(fn, Policy())
    return task.options(**changes)


def find_if_here(name: str) -> tuple[object, str]:
    """Return the function of a name; refuse one that nobody can mean, as far as can be told here.

    What cannot be imported here may well be there where the workers are, and what is of
    `__main__` is known to the program that declares it alone.

    Args:
        name: MODULE:FUNCTION.

    Returns:
        The function, None if it is not here; and why it could not be found, or "".

    Raises:
        UsageError: The module is here and has no such function.
    """
    module_name = name.partition(":")[0]
    if module_name.partition(".")[0] == "__main__":
        return None, ""
    # A module that prints when it is imported must not print into the answer.
    with contextlib.redirect_stdout(sys.stderr):
        try:
            import_named(module_name)
        except UsageError as error:
            if module_name.endswith(".py"):
                raise
            return None, str(error).partition("; expected")[0].partition("\n")[0]
        return find_function(name), ""


def check_arguments(
    name: str,
    found: object,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    way_out: str = "",
) -> None:
    """Refuse a call that its function cannot take, as far as its signature tells.

    Args:
        name: MODULE:FUNCTION.
        found: What `find_if_here` has found; what has no signature takes anything.
        args: Its arguments.
        kwargs: Those with a name.
        way_out: What to do if workers have another version of it.

    Raises:
        UsageError: The text shows the signature.
    """
    called = found.called if isinstance(found, Task) else found
    if not callable(called):
        return
    try:
        signature = inspect.signature(called)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        other = f"; if workers have another version of it, {way_out}" if way_out else ""
        raise UsageError(
            f"{name} cannot be called so: {error}; it is {name}{signature}. Nothing was kept{other}"
        ) from error


def _say_near(holder: Any, module_name: str, word: str) -> str:
    names = sorted(
        name
        for name, value in vars(holder).items()
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, Task))
    )
    if near := difflib.get_close_matches(word, names, n=1):
        return f"; did you mean {module_name}:{near[0]}?"
    return f"; it has {', '.join(names[:8])}" if names else ""
