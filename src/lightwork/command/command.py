"""Command: run a program as a call, and leave nothing of it behind.

A call of a Command blocks until the program ended and its output is read; what
it started ends with it (see run.py). A Command is plain data and pickles: it
runs on threads, in children, and wherever its files are.

Output. "capture" keeps it in bounded memory; "inherit" leaves it to this process's
own stream; "discard" drops it; a path writes it to a file, which is opened where
the program runs. Whoever wants to see lines while they come sets `report_lines`:
each becomes progress of the call, which reaches whoever listens at every reach,
where a function called with each line would have to travel itself.

Exit status. It is data: a Command returns it, whatever it is. With `check` a
status that is not in `ok` raises; a signal is a negative status, never in `ok`
unless named there.

A shell. Without `shell` no character of an argument means anything. With it,
argv is one text that /bin/sh reads, and whoever puts a foreign value into that
text lets a stranger write programs. Command.template quotes its values.
"""

import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import IO, Any, Final

from lightwork.command.placeholders import (
    NOWHERE,
    Place,
    fill_argv,
    fill_shell,
    refuse_unknown_placeholders,
    value_text,
)
from lightwork.command.process_groups import Groups
from lightwork.command.run import Launch, Run, Target, run_program
from lightwork.errors import UsageError
from lightwork.numeric import as_int, as_number

TAIL_SHOWN: Final = 2000
_SECRET: Final = "LIGHTWORK_AUTHKEY"  # noqa: S105 - the name of the variable
_TARGETS: Final[Mapping[str, Target]] = {
    "capture": subprocess.PIPE,
    "inherit": None,
    "discard": subprocess.DEVNULL,
    "stdout": subprocess.STDOUT,
}

Argv = Sequence[str | os.PathLike[str]] | str


@dataclass(frozen=True)
class Command:
    """A program with arguments, callable like a function without arguments.

    Attributes:
        argv: Program and arguments; with `shell` one text for /bin/sh.
        timeout: Seconds until the process group is ended with SIGTERM and, two
            seconds later, SIGKILL; 0 means no limit.
        cwd: Directory to run in; "" means this process's.
        env: Replaces the environment; None means this process's without LIGHTWORK_AUTHKEY: who
            has that key may have pickles run, which is no business of most programs.
        extra_env: Added to the environment.
        input: Given to the program as standard input; without it, it is empty.
        check: Whether an exit status that is not in `ok` raises CalledProcessError.
        ok: The exit statuses that mean success.
        text: Whether output is decoded from UTF-8 (undecodable bytes replaced,
            line ends as one newline character) or stays bytes.
        shell: Whether argv is a text for a shell.
        stdout: "capture", "inherit", "discard", or the path of a file, seen from
            `cwd`; a path that is text holds a slash.
        stderr: The same, or "stdout": both in one.
        report_lines: Whether captured lines are reported as progress: how many there
            were, and the latest.

    Raises:
        UsageError: An argument makes no sense.
    """

    __module__ = "lightwork"

    argv: Argv
    _: KW_ONLY
    timeout: float = 0.0
    cwd: str | os.PathLike[str] = ""
    env: Mapping[str, str] | None = None
    extra_env: Mapping[str, str] | None = None
    input: str | bytes = b""
    check: bool = False
    ok: Sequence[int] = (0,)
    text: bool = True
    shell: bool = False
    stdout: str | os.PathLike[str] = "capture"
    stderr: str | os.PathLike[str] = "capture"
    report_lines: bool = False

    def __post_init__(self) -> None:
        checked = _checked_shell(self.argv) if self.shell else _checked_argv(self.argv)
        object.__setattr__(self, "argv", checked)
        object.__setattr__(self, "ok", _checked_ok(self.ok))
        _check_seconds("timeout", self.timeout)
        _check_target("stdout", self.stdout)
        _check_target("stderr", self.stderr)

    @classmethod
    def template(cls, argv: Argv, **options: Any) -> "CommandTemplate":
        """Return a function of one or more values that runs a command made of them.

        Values take the places of `{}` and its kin (see placeholders.py), or are
        appended: `ex.map(Command.template(["gzip", "-k"]), paths)`.

        Raises:
            UsageError: An option makes no sense.
        """
        return CommandTemplate(cls(argv, **options))

    def __call__(self) -> subprocess.CompletedProcess[Any]:
        """Run the program and return its exit status and output.

        A captured output is kept up to 16 MiB: its begin and its end, with a note of
        how much is missing between. What is not captured is None.

        Raises:
            TimeoutError: It ran longer than `timeout`.
            FileNotFoundError: There is no such program or directory.
            subprocess.CalledProcessError: `check` is set and it failed.
            CancelledError: The call was asked to stop (see `current()`).
        """
        with self._target(self.stdout) as stdout, self._target(self.stderr) as stderr:
            return self._completed(run_program(self._launch(stdout, stderr)))

    def run_into(
        self, stdout: IO[bytes], stderr: IO[bytes], *, groups: Groups | None = None
    ) -> subprocess.CompletedProcess[Any]:
        """Do the same with both outputs going to open files: of any size, and nothing is read.

        Args:
            stdout: Where standard output goes.
            stderr: Where standard error goes.
            groups: Lends the process group, which spares many short programs a start each.
        """
        return self._completed(run_program(self._launch(stdout, stderr), groups))

    def __str__(self) -> str:
        """The command as a shell would be given it."""
        return self.argv if isinstance(self.argv, str) else shlex.join(map(str, self.argv))

    def _launch(self, stdout: Target, stderr: Target) -> Launch:
        # "--": a text that begins with a dash is no option of the shell.
        shell = ("/bin/sh", "-c", "--", str(self.argv))
        return Launch(
            argv=shell if self.shell else tuple(map(str, self.argv)),
            cwd=self.cwd,
            env=self._environment(),
            data=self.input.encode() if isinstance(self.input, str) else bytes(self.input),
            stdout=stdout,
            stderr=stderr,
            timeout=self.timeout,
            reports_lines=self.report_lines,
        )

    @contextmanager
    def _target(self, named: str | os.PathLike[str]) -> Iterator[Target]:
        if isinstance(named, str) and named in _TARGETS:
            yield _TARGETS[named]
            return
        with Path(self.cwd, named).open("wb") as file:
            yield file

    def _completed(self, run: Run) -> subprocess.CompletedProcess[Any]:
        if run.ending == "cancelled":
            raise CancelledError
        if run.ending == "timed out":
            raise TimeoutError(self._timeout_text(run))
        argv = self.argv if isinstance(self.argv, str) else list(self.argv)
        stdout, stderr = self._output(run.stdout), self._output(run.stderr)
        if self.check and run.status not in self.ok:
            raise subprocess.CalledProcessError(run.status, argv, stdout, stderr)
        return subprocess.CompletedProcess(argv, run.status, stdout, stderr)

    def _environment(self) -> dict[str, str] | None:
        if self.env is None and not self.extra_env and _SECRET not in os.environ:
            return None
        inherited = {name: os.environ[name] for name in os.environ if name != _SECRET}
        start = inherited if self.env is None else self.env
        return {**start, **(self.extra_env or {})}

    def _output(self, kept: bytes | None) -> str | bytes | None:
        return _decoded(kept) if self.text and kept is not None else kept

    def _timeout_text(self, run: Run) -> str:
        tails = "".join(
            f"\n{name} ended with: {tail}"
            for name, kept in (("stderr", run.stderr), ("stdout", run.stdout))
            if (tail := _decoded(kept or b"")[-TAIL_SHOWN:]).strip()
        )
        return f"the program did not end within {self.timeout} s and was killed: {self}{tails}"


@dataclass(frozen=True)
class CommandTemplate:
    """A function of one or more values that runs a command made of them.

    Attributes:
        form: The command with placeholders in its argv.
    """

    form: Command

    def __post_init__(self) -> None:
        argv = self.form.argv
        for part in [argv] if isinstance(argv, str) else map(str, argv):
            refuse_unknown_placeholders(part)

    def command(self, *values: object, place: Place = NOWHERE) -> Command:
        """Return the command for these values; `place` is what {#} and {%} mean.

        Raises:
            UsageError: There is no value, one is not fit for a program, or a
                placeholder's number is that of none.
        """
        if not values:
            raise UsageError(f"the template {self.form} needs a value; called with none")
        texts = [value_text(value) for value in values]
        argv = self.form.argv
        if isinstance(argv, str):
            return replace(self.form, argv=fill_shell(argv, texts, place))
        return replace(self.form, argv=fill_argv([str(part) for part in argv], texts, place))

    def __call__(self, *values: object) -> subprocess.CompletedProcess[Any]:
        """Run the command for these values; see Command."""
        return self.command(*values)()


def _decoded(data: bytes) -> str:
    return data.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")


def _checked_argv(argv: object) -> tuple[str, ...]:
    if isinstance(argv, str | bytes | os.PathLike):
        raise UsageError(
            f"argv must be a list of program and arguments, not one string; seen: {argv!r}. "
            "For a shell, say shell=True"
        )
    parts = list(argv) if isinstance(argv, Sequence) else []
    if not parts or not all(isinstance(part, str | os.PathLike) for part in parts):
        raise UsageError(
            f"argv must be a non-empty list of strings and paths (numbers as text); seen: {argv!r}"
        )
    return tuple(os.fspath(part) for part in parts)


def _checked_shell(argv: object) -> str:
    if not isinstance(argv, str) or not argv.strip():
        raise UsageError(f"with shell=True argv must be one text for the shell; seen: {argv!r}")
    return argv


def _checked_ok(ok: object) -> tuple[int, ...]:
    statuses = tuple(ok) if isinstance(ok, Sequence | set | frozenset | range) else ()
    numbers = [number for status in statuses if (number := as_int(status)) is not None]
    if not statuses or len(numbers) != len(statuses):
        raise UsageError(f"ok must be the exit statuses that mean success; seen: {ok!r}")
    return tuple(numbers)


def _check_target(name: str, target: object) -> None:
    words = [word for word in _TARGETS if word != name]
    # A word that is none of ours is a slip, not a file of that name.
    if isinstance(target, os.PathLike) or (
        isinstance(target, str) and (target in words or "/" in target)
    ):
        return
    raise UsageError(
        f"{name} must be one of {', '.join(words)}, or the path of a file "
        f"(with a slash, if it is text); seen: {target!r}"
    )


def _check_seconds(name: str, value: object) -> None:
    # The upper bound refuses infinity and, as a comparison, NaN.
    number = as_number(value)
    if number is None or not 0 <= number < 1e9:
        raise UsageError(f"{name} must be a number from 0 on, less than 1e9; seen: {value!r}")
