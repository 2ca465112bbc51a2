"""Catalog: which functions the jobs of a store may name.

The rule it guards: a row of a database never decides by itself which code runs.
A name is looked up, in this order, among

- the tasks the worker was given,
- the tasks in modules the worker was told to import (`-m MODULE`),
- plain functions of modules that were allowed (`--allow PACKAGE.MODULE`),
- the tasks of modules that the program has imported anyway, for a worker that
  runs inside the program which submits (nothing is ever imported for a name).

Anything else is TaskNotFound: the module that the name mentions is not touched.
"""

import importlib
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from lightwork.errors import TaskNotFound, UsageError
from lightwork.tasks import Task

AnyTask = Task[..., Any]


class Catalog:
    """Finds the task that a job names, or refuses.

    Args:
        tasks: Tasks that may be named.
        modules: Modules to import now; their tasks may be named.
        allow: Modules whose plain functions may be named too, with those below them.
        imported: Whether tasks of modules that are imported already may be named.
    """

    def __init__(
        self,
        tasks: Iterable[AnyTask] = (),
        *,
        modules: Iterable[str] = (),
        allow: Iterable[str] = (),
        imported: bool = False,
    ) -> None:
        self._allow = tuple(allow)
        self._imported = imported
        self._tasks = {task.name: task for task in tasks}
        for name in modules:
            self._tasks.update(tasks_of(import_module(name)))
        for name in self._allow:
            import_module(name)

    @property
    def names(self) -> list[str]:
        """Names of the tasks known by now, sorted."""
        return sorted(self._tasks)

    def find(self, name: str) -> AnyTask:
        """Return the task of this name.

        Raises:
            TaskNotFound: No rule lets this name be run here.
        """
        found = self._tasks.get(name)
        if found is None:
            try:
                found = self._find_allowed(name) or self._find_imported(name)
            except Exception as error:
                # A module that cannot be imported, an attribute that raises: it comes
                # from a row, so it may end that row's job and never the worker.
                raise self._not_found(name, f"looking for it raised {error!r}.") from error
        if found is None:
            raise self._not_found(name, "it was not imported.")
        self._tasks[name] = found
        return found

    def _not_found(self, name: str, reason: str) -> TaskNotFound:
        return TaskNotFound(
            f"this worker knows no task {name!r}; {reason} "
            f"{self._say_known()} Start a worker with -m MODULE for the module "
            "that declares it, or with --allow MODULE if it is a plain function.",
            name=name,
        )

    def _say_known(self) -> str:
        if not self._tasks:
            return "It knows no task at all."
        shown = ", ".join(self.names[:5]) + (" ..." if len(self._tasks) > 5 else "")
        return f"It knows {shown}."

    def _find_allowed(self, name: str) -> AnyTask | None:
        module, _, path = name.partition(":")
        if not any(module == root or module.startswith(f"{root}.") for root in self._allow):
            return None
        found = _look_up(import_module(module), path)
        if isinstance(found, Task):
            return found
        # Only what the module defines itself: `allowed:os.system` is not allowed.
        is_own = callable(found) and getattr(found, "__module__", None) == module
        return Task(found) if is_own else None

    def _find_imported(self, name: str) -> AnyTask | None:
        module, _, path = name.partition(":")
        if not self._imported:
            return None
        # The script's own tasks go by its name, which nobody can ask for any more
        # when the interpreter ends and jobs still run: the task itself knows it.
        for place in (module, "__main__"):
            found = _look_up(sys.modules.get(place), path)
            if isinstance(found, Task) and found.name == name:
                return found
        return None


def import_module(name: str) -> ModuleType:
    """Import a module that a person named.

    Raises:
        UsageError: It cannot be imported.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UsageError(
            f"the module {name!r} cannot be imported: {error}; "
            "expected a module on the path, seen from the folder where the worker starts"
        ) from error


def tasks_of(module: ModuleType) -> dict[str, AnyTask]:
    """Return the tasks that a module declares or imports, by name."""
    # A copy, made at once: other threads may add names meanwhile.
    found = [value for value in list(vars(module).values()) if isinstance(value, Task)]
    return {task.name: task for task in found}


def _look_up(module: ModuleType | None, path: str) -> Any:
    found: Any = module
    for part in path.split("."):
        found = getattr(found, part, None) if part else None
    return found
