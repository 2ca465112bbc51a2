"""Commands on a durable executor: kept as jobs, run by workers that may."""

import json
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightwork.cli.status.command import look
from lightwork.command.command import Command
from lightwork.durable.executor import DurableExecutor
from lightwork.durable.future import DurableFuture
from lightwork.errors import JobFailed, NoWorkerWarning, UsageError
from lightwork.model import State
from lightwork.tasks.task import task
from lightwork.work.service import Worker
from waiting import wait_until

pytestmark = pytest.mark.process

WAIT = 60


@pytest.fixture
def runs_commands(url: str) -> Iterator[DurableExecutor]:
    with DurableExecutor(url, workers=1, allow_commands=True) as executor:
        yield executor


def test_a_command_runs_as_a_job_and_returns_what_it_returns_elsewhere(
    runs_commands: DurableExecutor,
) -> None:
    done = runs_commands.submit(Command(["sh", "-c", "echo out; echo err >&2; exit 3"])).result(
        WAIT
    )

    assert isinstance(done, subprocess.CompletedProcess)
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_a_template_maps_and_a_key_finds_its_jobs_again(
    runs_commands: DurableExecutor, tmp_path: Path
) -> None:
    note = Command.template(["sh", "-c", f'echo "$0" >> {tmp_path}/ran; echo "$0"', "{}"])

    first = [done.stdout for done in runs_commands.map(note, ["a", "b"], key="k")]
    again = [done.stdout for done in runs_commands.map(note, ["a", "b"], key="k")]

    assert first == again == ["a\n", "b\n"]
    assert sorted((tmp_path / "ran").read_text().split()) == ["a", "b"]


def test_a_command_keeps_the_policy_of_its_task(runs_commands: DurableExecutor) -> None:
    failing = task(retries=1, backoff=0.01)(Command(["false"], check=True))

    error = runs_commands.submit(failing).exception(WAIT)

    assert isinstance(error, JobFailed)
    assert (error.error_type, error.attempts) == ("subprocess.CalledProcessError", 2)


def test_a_command_that_is_asked_to_stop_ends_as_cancelled(
    runs_commands: DurableExecutor, tmp_path: Path
) -> None:
    future = runs_commands.submit(Command(["sh", "-c", f"touch {tmp_path}/begun; sleep 1000"]))
    assert isinstance(future, DurableFuture)
    wait_until((tmp_path / "begun").exists, "it has begun")

    future.cancel(running="ask")

    job_id = future.job_id
    wait_until(
        lambda: runs_commands.store.states([job_id]) == {job_id: State.CANCELLED}, "it is cancelled"
    )


def test_a_worker_here_that_may_not_run_commands_is_told_at_once(url: str) -> None:
    with DurableExecutor(url, workers=1) as executor:
        with pytest.raises(UsageError, match="allow_commands=True"):
            executor.submit(Command(["true"]))

        assert executor.store.jobs() == []


def test_a_worker_elsewhere_that_may_not_leaves_it_ready_and_all_are_told(
    url: str, kept: DurableExecutor
) -> None:
    worker = Worker(url, executor="threads:1", imported=True)
    worker.start()
    try:
        future = kept.submit(Command(["true"]))
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            with pytest.raises(TimeoutError):
                future.result(4)
        problems = " ".join(look(kept.store).problems)
    finally:
        worker.stop()
        worker.join()

    (warning,) = [one for one in heard if one.category is NoWorkerWarning]
    assert "runs commands; start one: lightwork worker" in str(warning.message)
    assert "--allow-commands" in str(warning.message)
    assert "--allow-commands" in problems


def test_what_a_row_says_is_run_by_no_worker_without_the_flag(
    url: str, kept: DurableExecutor, tmp_path: Path
) -> None:
    future = kept.submit(Command(["touch", str(tmp_path / "ran")]))
    assert isinstance(future, DurableFuture)

    Worker(url, executor="threads:1", imported=True, burst=True, allow=["lightwork"]).run()

    assert kept.store.states([future.job_id]) == {future.job_id: State.READY}
    assert not (tmp_path / "ran").exists()


def test_the_result_of_a_command_is_read_after_a_restart(url: str) -> None:
    with DurableExecutor(url, workers=1, allow_commands=True) as executor:
        future = executor.submit(Command(["echo", "kept"]))
        assert isinstance(future, DurableFuture)
        future.result(WAIT)

    with DurableExecutor(url) as executor:
        assert executor.future(future.job_id).result(WAIT).stdout == "kept\n"


def test_a_list_shows_what_is_run(url: str, kept: DurableExecutor) -> None:
    from lightwork.cli.jobs.arguments import argument_fields

    future = kept.submit(Command(["gzip", "-k", "a.log"], timeout=5))
    assert isinstance(future, DurableFuture)

    (payload,) = kept.store.payloads([future.job_id], largest=1000).values()

    shown = json.dumps(argument_fields(future.job_id, payload)["args"])
    assert shown == '[["gzip", "-k", "a.log"], {"timeout": 5}]'
