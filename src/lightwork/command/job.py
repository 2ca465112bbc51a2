"""Command job: a Command as a job of a store.

Its row holds what to run as plain data, under the name of a task that is in no module.
A worker knows that name only if it was told to (`--allow-commands`): a row never
decides by itself which code runs, nor which program. To others it is a job of a task
that they do not know, which stays ready.
"""

import os
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any, Final

from lightwork.command.command import Command, CommandTemplate
from lightwork.tasks.task import Task

# As rows have it.
COMMAND: Final = "lightwork:command"

Arguments = tuple[Any, ...]


@dataclass(repr=False)
class CompletedCommand(subprocess.CompletedProcess[Any]):
    """What a command returns, as it travels through a store."""

    args: Any
    returncode: int
    stdout: Any = None
    stderr: Any = None


def run_command(argv: list[str] | str, options: dict[str, Any] | None = None) -> CompletedCommand:
    """Run a command of a row; `options` are those of Command that are not the defaults."""
    done = Command(argv, **(options or {}))()
    return CompletedCommand(done.args, done.returncode, done.stdout, done.stderr)


COMMAND_TASK: Final = Task(run_command, name=COMMAND)


def command_task(fn: Callable[..., Any]) -> Task[..., Any] | None:
    """Return the task for jobs of a command or a template, with a policy perhaps; None: it is none."""
    form = fn.fn if isinstance(fn, Task) else fn
    if not isinstance(form, Command | CommandTemplate):
        return None
    if not isinstance(fn, Task):
        return COMMAND_TASK
    made = Task(run_command, fn.policy, COMMAND)
    made.on_progress = fn.on_progress
    return made


def command_arguments(fn: Callable[..., Any], values: Iterable[Any]) -> Arguments:
    """Return the arguments of run_command for a call of a command or a template.

    Raises:
        UsageError: A value is not fit for a program, or there is none for a template.
        TypeError: There is one for a command.
    """
    form: Any = fn.fn if isinstance(fn, Task) else fn
    if isinstance(form, CommandTemplate):
        return _arguments(form.command(*values))
    if any(True for _ in values):
        raise TypeError("a Command takes no values; Command.template makes a function that does")
    return _arguments(form)


def _arguments(command: Command) -> Arguments:
    argv = command.argv if isinstance(command.argv, str) else list(map(str, command.argv))
    changed = {
        known.name: _plain(known.name, value)
        for known in fields(command)
        if known.name != "argv" and (value := getattr(command, known.name)) != known.default
    }
    return (argv, changed) if changed else (argv,)


def _plain(name: str, value: Any) -> Any:
    if name in {"env", "extra_env"} and value is not None:
        return dict(value)
    if isinstance(value, os.PathLike):
        path = os.fspath(value)
        # As text a file needs a slash, so that it is not taken for a word.
        return path if name == "cwd" or "/" in path else f"./{path}"
    return list(value) if name == "ok" else value
