"""`lightwork status`: one screen, and an exit status to alarm on."""

import json
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

from cli.conftest import Invoke
from cli.jobs_made import Made
from cli.runs import start
from lightwork.store.contract import Store


def field_of(text: str, label: str) -> str:
    (found,) = [line[9:] for line in text.splitlines() if line.startswith(label.ljust(9))]
    return found


def test_an_empty_store_is_healthy(lightwork: Invoke, store: Store) -> None:
    done = lightwork("status")

    assert done.exit_code == 0
    assert field_of(done.stdout, "health") == "good"


def test_the_screen_tells_workers_jobs_and_queues(
    lightwork: Invoke, made: Made, folder: Path
) -> None:
    made.running()
    made.failed()
    made.ready(queue="mail", priority=-1)
    made.worker(queue="mail")

    lines = lightwork("status").stdout.splitlines()

    assert lines[0].startswith(f"store    sqlite:///{folder}/lightwork.db, reached in ")
    assert lines[1] == "workers  2 live, 1 of 4 slots busy"
    assert any(" 1/2 busy " in line and line.startswith("  live ada ") for line in lines)
    assert any(line.split() == ["failed", "1", "█" * 20] for line in lines)
    assert "  default: 1 running, 1 failed" in lines
    assert "  mail: 1 ready" in lines


def test_ready_jobs_without_a_worker_are_unhealthy(lightwork: Invoke, made: Made) -> None:
    made.ready()

    done = lightwork("status")

    assert done.exit_code == 1
    assert field_of(done.stdout, "wrong").startswith("1 job is ready, but no worker is alive")


def test_a_worker_that_died_with_a_job_is_shown(lightwork: Invoke, made: Made) -> None:
    made.running()
    end_leases(made)

    done = lightwork("status")

    assert done.exit_code == 1
    assert "  lost ada " in done.stdout
    assert "worker ada stopped renewing its lease" in field_of(done.stdout, "wrong")


def end_leases(made: Made) -> None:
    path = made.store.url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE worker SET lease_until = 1")


def test_quiet_tells_by_the_exit_status_alone(lightwork: Invoke, made: Made) -> None:
    made.ready()

    done = lightwork("status", "--quiet")

    assert (done.exit_code, done.stdout, done.stderr) == (1, "", "")


def test_json_tells_the_same(lightwork: Invoke, made: Made) -> None:
    made.ready()
    made.worker()

    done = lightwork("status", "--json")

    found = json.loads(done.stdout)
    assert found["summary"]["states"]["ready"] == 1
    assert found["summary"]["live_workers"] == 1
    assert found["workers"][0]["name"] == "ada"
    assert found["problems"] == []


def test_a_watch_goes_on_until_ctrl_c(folder: Path, made: Made) -> None:
    with start("status", "--watch", "--json", folder=folder) as watching:
        assert watching.stdout is not None
        first, second = (
            json.loads(watching.stdout.readline()),
            json.loads(watching.stdout.readline()),
        )
        watching.send_signal(signal.SIGINT)
        errors = watching.communicate(timeout=60)[1]

    assert first["summary"] == second["summary"]
    assert (watching.returncode, errors) == (0, "")
