"""Commands as jobs: what a row holds of them, and what is made of it again."""

import subprocess
from pathlib import Path

import pytest

from lightwork.codec import Codec, Subject
from lightwork.command.command import Command
from lightwork.command.job import (
    COMMAND,
    COMMAND_TASK,
    command_arguments,
    command_task,
    run_command,
)
from lightwork.durable.ids import new_job_id
from lightwork.errors import UsageError
from lightwork.tasks.task import task

CODEC = Codec()


def travelled(command: Command) -> tuple[tuple[object, ...], dict[str, object]]:
    subject = Subject(new_job_id(), COMMAND)
    payload = CODEC.encode_call(subject, command_arguments(command, ()), {}, fn=run_command)
    return CODEC.decode_call(subject, payload, run_command)


@pytest.mark.parametrize(
    "command",
    [
        Command(["cat"], input=b"\0\xff", text=False),
        Command(["sh", "-c", "echo $A"], env={"A": "1", "PATH": "/bin:/usr/bin"}),
        Command(["false"], ok=(0, 1), check=True, timeout=20),
        Command("echo a; echo b >&2", shell=True, stderr="stdout"),
        Command(["pwd"], cwd=Path("/")),
    ],
    ids=str,
)
def test_a_command_is_the_same_after_it_has_travelled(command: Command) -> None:
    args, kwargs = travelled(command)

    done = run_command(*args, **kwargs)  # type: ignore[arg-type] # as from a row

    assert isinstance(done, subprocess.CompletedProcess)
    assert vars(done) == vars(command())


def test_a_file_named_by_a_path_stays_a_file(tmp_path: Path) -> None:
    args, _ = travelled(Command(["echo", "x"], cwd=tmp_path, stdout=Path("out")))

    run_command(*args)  # type: ignore[arg-type] # as from a row

    assert (tmp_path / "out").read_text() == "x\n"


def test_only_what_is_not_the_default_is_kept() -> None:
    assert command_arguments(Command(["true"]), ()) == (["true"],)
    assert command_arguments(Command(["true"], timeout=5), ()) == (["true"], {"timeout": 5})


def test_a_template_is_filled_before_it_is_kept() -> None:
    template = Command.template(["gzip", "-k", "{}"], timeout=5)

    assert command_arguments(template, ("a b",)) == (["gzip", "-k", "a b"], {"timeout": 5})


def test_a_command_takes_no_values_and_a_template_needs_one() -> None:
    with pytest.raises(TypeError, match=r"Command\.template"):
        command_arguments(Command(["true"]), ("x",))
    with pytest.raises(UsageError, match="needs a value"):
        command_arguments(Command.template(["true"]), ())


def test_a_command_has_the_policy_that_was_declared_for_it() -> None:
    made = command_task(task(retries=2)(Command(["true"])))

    assert made is not None
    assert (made.name, made.policy.retries, made.fn) == (COMMAND, 2, run_command)
    assert command_task(Command(["true"])) is COMMAND_TASK
    assert command_task(print) is None
