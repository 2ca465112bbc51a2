"""The verbs on a store in PostgreSQL, as a person types them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from cli.conftest import Invoke
from cli.runs import run
from store import servers


@pytest.fixture
def url() -> Iterator[str]:
    with servers.new_database("postgresql") as made:
        # As people write it; a server that trusts everybody asks for no password.
        yield (
            make_url(made)
            .set(drivername="postgresql", password="hush")
            .render_as_string(hide_password=False)
        )


@pytest.mark.process
def test_a_job_is_submitted_run_and_shown(lightwork: Invoke, folder: Path, url: str) -> None:
    begun = lightwork("db", "init", url)
    submitted = lightwork("submit", url, "script:square", "7", "--json")
    worker = run("worker", url, "-m", "script", "--burst", folder=folder)
    shown = lightwork("jobs", url, "show", json.loads(submitted.stdout)["id"])
    others = [lightwork(*words) for words in (["jobs", url], ["status", url], ["db", "check", url])]

    assert worker.returncode == 0, worker.stderr
    assert "49" in shown.stdout, shown.output
    assert "nothing is wrong" in others[-1].stdout
    said = "".join(one.output for one in (begun, submitted, shown, *others))
    assert "hush" not in said + worker.stdout + worker.stderr


def test_status_of_a_server_that_is_away_is_out_of_reach(lightwork: Invoke) -> None:
    done = lightwork("status", "postgresql://someone:hush@127.0.0.1:1/jobs")

    assert done.exit_code == 3
    assert "hush" not in done.output
