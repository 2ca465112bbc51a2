"""Where a command's output goes, which exit statuses are fine, and what a shell changes."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from lightwork.command.command import Command
from lightwork.command.run import LineReport
from lightwork.errors import UsageError
from lightwork.pool.call.current import Current, run_with

pytestmark = pytest.mark.process


def test_a_shell_reads_its_text() -> None:
    done = Command("echo $((1 + 2)) | tr 3 x", shell=True)()

    assert done.stdout == "x\n"


def test_a_shell_text_that_begins_with_a_dash_is_no_option_of_the_shell() -> None:
    done = Command("-x 2>/dev/null; echo reached", shell=True)()

    assert done.stdout == "reached\n"


@pytest.mark.parametrize("argv", [["echo", "x"], "", "  ", Path("ls")])
def test_a_shell_takes_one_text_only(argv: object) -> None:
    with pytest.raises(UsageError, match="one text for the shell"):
        Command(argv, shell=True)  # type: ignore[arg-type]


def test_check_accepts_the_statuses_that_are_named() -> None:
    done = Command(["sh", "-c", "exit 1"], check=True, ok=(0, 1))()

    assert done.returncode == 1


def test_check_refuses_zero_when_it_is_not_named() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        Command(["true"], check=True, ok=[1])()


@pytest.mark.parametrize("ok", [(), "0", 0, ["0"], (True,)])
def test_statuses_that_are_none_are_refused(ok: object) -> None:
    with pytest.raises(UsageError, match="ok must be"):
        Command(["true"], ok=ok)  # type: ignore[arg-type]


def test_output_goes_to_files_seen_from_the_directory_it_runs_in(tmp_path: Path) -> None:
    done = Command(
        ["sh", "-c", "echo out; echo err >&2"], cwd=tmp_path, stdout="./out", stderr=Path("err")
    )()

    assert (done.stdout, done.stderr) == (None, None)
    assert (tmp_path / "out").read_text() == "out\n"
    assert (tmp_path / "err").read_text() == "err\n"


def test_both_outputs_in_one_keep_their_order() -> None:
    done = Command(["sh", "-c", "echo a; echo b >&2; echo c"], stderr="stdout")()

    assert (done.stdout, done.stderr) == ("a\nb\nc\n", None)


def test_discarded_output_is_gone() -> None:
    done = Command(["sh", "-c", "echo out; echo err >&2"], stdout="discard")()

    assert (done.stdout, done.stderr) == (None, "err\n")


def test_inherited_output_is_that_of_this_process(capfd: pytest.CaptureFixture[str]) -> None:
    Command(["echo", "mine"], stdout="inherit")()

    assert capfd.readouterr().out == "mine\n"


@pytest.mark.parametrize("target", ["captured", "stdout", "", "log.txt", None, 3])
def test_a_word_that_is_no_target_is_not_taken_for_a_file(target: object) -> None:
    with pytest.raises(UsageError, match="stdout must be one of"):
        Command(["true"], stdout=target)  # type: ignore[arg-type]


def test_output_into_an_open_file_may_be_of_any_size() -> None:
    with tempfile.TemporaryFile() as file:
        Command(["head", "-c", "40000000", "/dev/zero"]).run_into(file, file)

        assert file.seek(0, os.SEEK_END) == 40_000_000


def test_output_elsewhere_is_not_waited_for_when_the_program_has_ended(tmp_path: Path) -> None:
    done = Command(
        ["sh", "-c", "sleep 1000 & exit 7"], stdout=tmp_path / "o", stderr="discard", timeout=60
    )()

    assert done.returncode == 7


def test_the_end_of_a_program_without_captured_output_is_noticed_at_its_time_out() -> None:
    with pytest.raises(TimeoutError):
        Command(["sleep", "1000"], stdout="discard", stderr="discard", timeout=0.2)()


def test_lines_are_reported_as_progress_of_the_call() -> None:
    reports: list[tuple[float, float, str]] = []
    call = Current("w", lambda done, total, note: reports.append((done, total, note)))

    run_with(call, Command(["printf", "a\\nb\\n"], report_lines=True), (), {})

    assert reports[-1] == (2, 0, "b")


def test_lines_are_reported_to_nobody_outside_of_a_call() -> None:
    done = Command(["printf", "a\\nb\\n"], report_lines=True)()

    assert done.stdout == "a\nb\n"


def test_a_line_is_reported_once_it_is_whole_and_a_block_is_one_report() -> None:
    reports: list[tuple[float, float, str]] = []
    lines = LineReport(lambda done, total, note: reports.append((done, total, note)))

    lines.add(1, b"10 %\r20 %\r3")
    lines.add(2, b"error\n")
    lines.add(1, b"0 %\r")

    assert reports == [(2, 0, "20 %"), (3, 0, "error"), (4, 0, "30 %")]
