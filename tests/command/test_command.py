"""Programs as calls: real programs, real signals."""

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import psutil
import pytest

from lightwork.command import run as program
from lightwork.command.command import Command
from lightwork.errors import UsageError
from lightwork.pool.call.current import Current, run_with
from waiting import wait_until

AUTHKEY = "LIGHTWORK_AUTHKEY"

pytestmark = pytest.mark.process


def is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def pids_in(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def two_sleepers(pids: Path) -> list[str]:
    """Return a shell, that starts two programs and tells their process ids."""
    return ["sh", "-c", f"sleep 1000 & echo $! >> {pids}; echo $$ >> {pids}; exec sleep 1000"]


def test_output_and_exit_status_are_returned() -> None:
    done = Command(["sh", "-c", "echo out; echo err >&2; exit 3"])()

    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_arguments_are_passed_without_a_shell() -> None:
    done = Command(["printf", "%s|", "a b", "$HOME", "*", "héllo ∀"])()

    assert done.stdout == "a b|$HOME|*|héllo ∀|"


def test_paths_are_arguments(tmp_path: Path) -> None:
    done = Command(["echo", tmp_path])()

    assert done.stdout == f"{tmp_path}\n"


def test_text_input_reaches_the_program() -> None:
    assert Command(["cat"], input="héllo")().stdout == "héllo"


def test_large_input_and_output_do_not_deadlock() -> None:
    data = os.urandom(5_000_000)

    done = Command(["cat"], input=data, text=False)()

    assert done.stdout == data


def test_a_program_that_says_more_than_it_hears_does_not_deadlock() -> None:
    # It blocks in writing while most of its input waits to be written to it.
    done = Command(["sed", "s/x/yyyyyyyyyyyyyyy/"], input="x\n" * 500_000)()

    assert done.stdout == "yyyyyyyyyyyyyyy\n" * 500_000


def test_a_program_that_reads_no_input_does_not_fail() -> None:
    done = Command(["true"], input=b"x" * 1_000_000)()

    assert done.returncode == 0


def test_without_input_standard_input_is_empty() -> None:
    assert Command(["cat"], timeout=20)().stdout == ""


def test_bytes_are_kept_as_they_are_when_asked() -> None:
    assert Command(["printf", r"\377\r\n"], text=False)().stdout == b"\xff\r\n"


def test_undecodable_output_is_replaced() -> None:
    assert Command(["printf", r"a\377b\r\nc"])().stdout == "a\ufffdb\nc"


def test_a_program_killed_by_a_signal_has_a_negative_status() -> None:
    assert Command(["sh", "-c", "kill -9 $$"])().returncode == -signal.SIGKILL


def test_check_raises_with_the_output() -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        Command(["sh", "-c", "echo why >&2; exit 4"], check=True)()

    assert (caught.value.returncode, caught.value.stderr) == (4, "why\n")


def test_it_runs_in_the_directory(tmp_path: Path) -> None:
    assert Command(["pwd"], cwd=tmp_path)().stdout == f"{tmp_path}\n"


def test_env_replaces_the_environment() -> None:
    done = Command(["/usr/bin/env"], env={"A": "1"})()

    assert done.stdout == "A=1\n"


@pytest.mark.parametrize(
    ("options", "is_there"),
    [({}, False), ({"extra_env": {"A": "1"}}, False), ({"extra_env": {AUTHKEY: "x"}}, True),
     ({"env": {AUTHKEY: "x"}}, True)],
)  # fmt: skip
def test_a_command_gets_the_authkey_only_by_name(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], *, is_there: bool
) -> None:
    monkeypatch.setenv(AUTHKEY, "0123456789abcdef")

    done = Command(["/usr/bin/env"], **options)()

    assert (AUTHKEY in done.stdout) is is_there


def test_extra_env_is_added_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHTWORK_TEST_OLD", "old")

    done = Command(["/usr/bin/env"], extra_env={"LIGHTWORK_TEST_NEW": "new"})()

    assert {"LIGHTWORK_TEST_OLD=old", "LIGHTWORK_TEST_NEW=new"} <= set(done.stdout.split("\n"))


def test_a_missing_program_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="no-such-program-x"):
        Command(["no-such-program-x"])()


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="gone"):
        Command(["true"], cwd=tmp_path / "gone")()


@pytest.mark.parametrize("argv", ["gzip -k x", b"ls", Path("ls"), [], ["sleep", 5], 5, {"ls"}])
def test_argv_that_is_no_list_of_strings_is_refused(argv: object) -> None:
    with pytest.raises(UsageError, match="argv must be"):
        Command(argv)  # type: ignore[arg-type]


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf"), "5"])
def test_a_timeout_that_is_no_duration_is_refused(timeout: float) -> None:
    with pytest.raises(UsageError, match="timeout"):
        Command(["true"], timeout=timeout)


def test_a_command_survives_pickling() -> None:
    made = Command(["echo", "x"], timeout=5, cwd="/", extra_env={"A": "1"}, check=True)

    assert pickle.loads(pickle.dumps(made)) == made


def test_a_timeout_says_what_ran_and_what_it_said() -> None:
    with pytest.raises(TimeoutError, match=r"(?s)within 0.2 s.*sleep 1000.*stdout.*halfway"):
        Command(["sh", "-c", "echo halfway; exec sleep 1000"], timeout=0.2)()


def test_a_timeout_kills_what_the_program_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"

    with pytest.raises(TimeoutError):
        Command(two_sleepers(pids), timeout=1.0)()

    assert len(pids_in(pids)) == 2
    wait_until(lambda: not any(map(is_alive, pids_in(pids))), "the sleepers are dead")


def test_a_program_may_tidy_up_at_its_timeout() -> None:
    script = "trap 'echo tidied; exit 0' TERM; echo on; while :; do sleep 0.01; done"

    with pytest.raises(TimeoutError, match="tidied"):
        Command(["sh", "-c", script], timeout=1.0)()


def test_a_program_that_ignores_sigterm_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "GRACE", 0.1)
    pids = tmp_path / "pids"
    script = f"trap '' TERM; echo $$ > {pids}; while :; do sleep 0.01; done"

    with pytest.raises(TimeoutError):
        Command(["sh", "-c", script], timeout=1.0)()

    assert [is_alive(pid) for pid in pids_in(pids)] == [False]


def test_what_a_finished_program_left_running_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"

    Command(["sh", "-c", f"sleep 1000 >/dev/null 2>&1 & echo $! > {pids}"])()

    assert len(pids_in(pids)) == 1
    wait_until(lambda: not any(map(is_alive, pids_in(pids))), "the sleeper is dead")


def test_a_flood_of_output_is_bounded_and_says_so() -> None:
    script = "printf begin; head -c 100000000 /dev/zero; printf end"

    done = Command(["sh", "-c", script], text=False)()

    assert len(done.stdout) < program.LIMIT + 100
    assert done.stdout.startswith(b"begin\0")
    assert done.stdout.endswith(b"\0end")
    missing = 100_000_008 - program.LIMIT
    assert f"[... {missing} bytes left out".encode() in done.stdout


def test_a_flood_on_both_outputs_does_not_deadlock() -> None:
    script = "head -c 3000000 /dev/zero >&2 & head -c 3000000 /dev/zero; wait"

    done = Command(["sh", "-c", script], text=False, timeout=60)()

    assert (len(done.stdout), len(done.stderr)) == (3_000_000, 3_000_000)


def test_an_asked_for_stop_kills_the_program(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    call = Current("w", is_cancelled=lambda: len(pids_in(pids)) == 2)

    with pytest.raises(CancelledError):
        run_with(call, Command(two_sleepers(pids)), (), {})

    wait_until(lambda: not any(map(is_alive, pids_in(pids))), "the sleepers are dead")


def run_in_another_python(pids: Path) -> subprocess.Popen[str]:
    code = f"""
        from lightwork.command.command import Command
        try:
            Command({two_sleepers(pids)!r})()
        except KeyboardInterrupt:
            print("interrupted")
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    )


def test_a_program_does_not_outlive_a_killed_caller(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with run_in_another_python(pids) as python:
        wait_until(lambda: len(pids_in(pids)) == 2, "the sleepers run")

        python.kill()

        wait_until(lambda: not any(map(is_alive, pids_in(pids))), "the sleepers are dead", within=2)


def test_an_interrupted_caller_kills_the_program(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with run_in_another_python(pids) as python:
        wait_until(lambda: len(pids_in(pids)) == 2, "the sleepers run")

        python.send_signal(signal.SIGINT)
        output, _ = python.communicate(timeout=20)

    assert output == "interrupted\n"
    wait_until(lambda: not any(map(is_alive, pids_in(pids))), "the sleepers are dead")


def test_a_call_leaves_no_process_and_no_descriptor() -> None:
    Command(["true"])()
    before = psutil.Process().num_fds(), psutil.Process().children()

    with pytest.raises(FileNotFoundError):
        Command(["no-such-program-x"])()
    Command(["cat"], input="x")()

    assert (psutil.Process().num_fds(), psutil.Process().children()) == before


def test_commands_run_in_parallel_on_threads() -> None:
    outputs: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: outputs.append(Command(["echo", str(n)])().stdout))
        for n in range(8)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outputs) == [f"{n}\n" for n in range(8)]
