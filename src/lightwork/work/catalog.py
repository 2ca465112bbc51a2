"""Catalog: which functions the jobs of a store may name.

The rule it guards: a row of a database never decides by itself which code runs.
A name is looked up, in this order, among

- the tasks the worker was given,
- the tasks in modules the worker was told to import (`-m MODULE`),
- plain functions of modules that were allowed (`--allow PACKAGE.MODULE`), and of modules
  below these that they have imported themselves; never of a `__main__`,
- the tasks of modules that the program has imported anyway, for a worker that
  runs inside the program which submits.

Nothing is ever imported for a name, and no code is run to look one up: no `__getattr__` of a
module, no property. Only what the dictionaries of a module and of its classes hold is seen.

Anything else is TaskNotFound: the module that the name mentions is not touched. A
worker asks before it claims, so that no job ends by it: jobs of tasks that it does
not know stay for workers that do.

Whose task is `script:square`? The name of a task of `__main__` says which script or
session it is of (tasks/names.py), and

- a program answers for its own script or session, never for another of that name;
- it also answers for `script:square` without an origin: that is what somebody typed,
  or submitted by importing the script, and meant any script of that name;
- whoever names a module (`-m script`, `--allow script`, `tasks=`) has decided that
  it stands for every script of that name, wherever the file was.
"""

import functools
import importlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, Final, TypeGuard

from lightwork.errors import TaskNotFound, UsageError
from lightwork.tasks.names import is_of_main, is_of_session, origin_of, short_name
from lightwork.tasks.task import Task

AnyTask = Task[..., Any]
_FUNCTIONS: Final = (FunctionType, BuiltinFunctionType, type(functools.cache(len)))


class Catalog:
    """Finds the task that a job names, or refuses.

    Args:
        tasks: Tasks that may be named.
        modules: Modules to import now; their tasks may be named.
        allow: Modules to import now, whose plain functions may be named too, and those of modules
            below them that are imported.
        imported: Whether tasks of modules that are imported already may be named.
        why_not: Returns why jobs of a task cannot be run here, "" if they can.
    """

    def __init__(
        self,
        tasks: Iterable[AnyTask] = (),
        *,
        modules: Iterable[str] = (),
        allow: Iterable[str] = (),
        imported: bool = False,
        why_not: Callable[[AnyTask], str] = lambda _: "",
    ) -> None:
        self._why_not = why_not
        self._allow = tuple(allow)
        self._imported = imported
        given = list(tasks)
        self._modules = tuple(modules)
        for name in self._modules:
            given += tasks_of(import_module(name)).values()
        self._tasks = {task.name: task for task in given if not self._why_not(task)}
        self._given = {short_name(name): task for name, task in self._tasks.items()}
        for name in self._allow:
            import_module(name)

    @property
    def names(self) -> list[str]:
        """Names of the tasks known by now, sorted."""
        # A copy, made at once: other threads find tasks meanwhile.
        return sorted(self._tasks.copy())

    @property
    def count(self) -> int:
        """How many tasks are known by now."""
        return len(self._tasks)

    def knows(self, name: str) -> bool:
        """Whether jobs of this task can be run here."""
        try:
            self.find(name)
        except TaskNotFound:
            return False
        return True

    def scheduled(self) -> list[AnyTask]:
        """Return the tasks that have a schedule, also those of modules that count by being imported."""
        if self._imported:
            for name, task in _scheduled_anywhere().items():
                if not self._why_not(task):
                    self._tasks.setdefault(name, task)
        return [task for task in self._tasks.copy().values() if task.schedule is not None]

    def declared(self, name: str) -> AnyTask | None:
        """Return the task that its module has under its name now, if this program counts the module."""
        module, _, path = short_name(name).partition(":")
        if self._imported and is_of_main(name):
            module = "__main__"
        elif origin_of(name) or not (self._imported or module in self._modules):
            return None
        found = _look_up(sys.modules.get(module), path)
        return found if _is_task(found) and found.name == name else None

    def owns(self, name: str) -> bool:
        """Whether this program speaks for the task's module: it was told to import it, or is it."""
        if origin_of(name):
            return self._imported and is_of_main(name)
        return name.partition(":")[0] in self._modules

    def add(self, task: AnyTask) -> None:
        """Let jobs name a task of the program itself; one that is declared anew replaces it."""
        if self._why_not(task):
            return
        known = self._tasks.get(task.name)
        if known is None or known.fn is not task.fn:
            self._tasks[task.name] = task

    def find(self, name: str) -> AnyTask:
        """Return the task of this name.

        Raises:
            TaskNotFound: No rule lets this name be run here.
        """
        found = self._tasks.get(name)
        if found is None:
            try:
                found = (
                    self._find_given(name)
                    or self._find_allowed(short_name(name))
                    or self._find_imported(name)
                )
            except Exception as error:
                # It comes from a row, so whatever it is must never end the worker.
                raise self._not_found(name, f"looking for it raised {error!r}.") from error
        if found is None:
            raise self._not_found(name, "it was not imported.")
        if reason := self._why_not(found):
            raise self._not_found(name, reason)
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
        names = list(dict.fromkeys(map(short_name, self.names)))
        shown = ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
        return f"It knows {shown}."

    def _find_given(self, name: str) -> AnyTask | None:
        found = self._given.get(short_name(name))
        if found is None or (origin_of(found.name) and not _is_own(found, name)):
            return None
        return found

    def _find_allowed(self, name: str) -> AnyTask | None:
        module, _, path = name.partition(":")
        if not any(module == root or module.startswith(f"{root}.") for root in self._allow):
            return None
        if "__main__" in module.split("."):
            # Its functions are what the program does when a person starts it.
            return None
        found = _look_up(sys.modules.get(module), path)
        if _is_task(found):
            return found
        # Only what the module defines itself: `allowed:system` is not allowed.
        return Task(found) if _is_function(found) and found.__module__ == module else None

    def _find_imported(self, name: str) -> AnyTask | None:
        if not self._imported:
            return None
        module, _, path = short_name(name).partition(":")
        # The script's own tasks go by its name, which nobody can ask for any more
        # when the interpreter ends and jobs still run: the task itself knows it.
        for place in (module, "__main__"):
            found = _look_up(sys.modules.get(place), path)
            if _is_task(found) and (_is_own(found, name) or _is_in_file(found, name)):
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
    found = [value for value in list(vars(module).values()) if _is_task(value)]
    return {task.name: task for task in found}


def _scheduled_anywhere() -> dict[str, AnyTask]:
    """Return the tasks with a schedule that stand in any imported module, by name."""
    # Copies, made at once: other threads may import meanwhile.
    modules = [_dict_of(module) for module in list(sys.modules.values())]
    found = [value for names in modules for value in list(names.values()) if _is_task(value)]
    return {task.name: task for task in found if task.schedule is not None}


def _is_own(found: AnyTask, name: str) -> bool:
    """Whether the name means this task, or any of its short name and so this one too."""
    if found.name == name:
        return True
    # A session has no name by which people could mean it.
    return short_name(found.name) == name and not is_of_session(found.name)


def _is_in_file(found: AnyTask, name: str) -> bool:
    """Whether the name is that of the same file, imported here, run as a script elsewhere."""
    module = sys.modules.get(found.name.partition(":")[0])
    path = _dict_of(module).get("__file__")
    if path is None or found.name != short_name(name):
        return False
    return str(Path(path).resolve()) == origin_of(name)


def _look_up(module: object, path: str) -> object:
    """Return what the path names in a module, and in classes of it; None: nothing."""
    first, *rest = path.split(".")
    found = _dict_of(module).get(first)
    for part in rest:
        # The dictionary itself: a metaclass may have attributes that run code.
        holds = issubclass(type(found), type)
        found = vars(type)["__dict__"].__get__(found).get(part) if holds else None
        if type(found) is staticmethod:
            found = found.__func__
    return found


def _dict_of(module: object) -> dict[str, Any]:
    # Of a lazy module, which may be of a class of its own, any attribute may run code.
    if not issubclass(type(module), ModuleType):
        return {}
    found: dict[str, Any] = vars(ModuleType)["__dict__"].__get__(module)
    return found


def _is_task(found: object) -> TypeGuard[AnyTask]:
    # Not isinstance: that asks proxies for the class that they pretend to have.
    return issubclass(type(found), Task)


def _is_function(found: object) -> TypeGuard[Callable[..., Any]]:
    kind = type(found)
    # Cython's has no class that could be imported.
    return kind in _FUNCTIONS or kind.__name__ == "cython_function_or_method"
