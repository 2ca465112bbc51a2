"""Why a job does not run: `jobs show` says it in one line, on every database."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cli.conftest import Invoke
from cli.jobs_made import Made
from lightwork.durable.ids import new_job_id
from lightwork.model import Limit, NewJob
from lightwork.net.opening import open_store
from lightwork.store.contract import Store
from lightwork.tasks.resting import say_resting
from store import servers

TURN = "its turn has not come: a worker that knows its task claims it with a free slot"


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{folder}/jobs.db"
        return
    with servers.new_database(request.param) as made:
        yield made


@pytest.fixture
def kept(url: str) -> Iterator[Store]:
    with closing(open_store(url, create=True)) as store:
        yield store


@pytest.fixture
def jobs(kept: Store) -> Made:
    return Made(kept)


def why(lightwork: Invoke, store: Store, job_id: object) -> str | None:
    """Return what `jobs show` says, in both forms, and the list."""
    lines = lightwork("jobs", "show", job_id, store.url).stdout.splitlines()
    said = [line.removeprefix("waiting    because ") for line in lines if "because" in line]
    text = said[0] if said else None
    shown = json.loads(lightwork("jobs", "show", job_id, store.url, "--json").stdout)
    assert _untimed(shown["waiting_because"]) == _untimed(text)
    return text


def _untimed(text: str | None) -> str | None:
    """Return it without how long is left: a second may pass from one form to the other."""
    return text and re.sub(r"due in [\w ]+?(?= after|$)", "due in a while", text)


def test_what_would_have_to_change_first_is_told(
    lightwork: Invoke, kept: Store, jobs: Made
) -> None:
    job_id, said = jobs.ready(), []
    said.append(why(lightwork, kept, job_id))
    jobs.worker(queue="mail")
    said.append(why(lightwork, kept, job_id))
    jobs.worker(slots=1)
    said.append(why(lightwork, kept, job_id))
    kept.pause("default")
    said.append(why(lightwork, kept, job_id))

    assert said == [
        "no worker is alive",
        "no live worker serves the queue 'default'",
        TURN,
        "the queue 'default' is paused",
    ]


def test_that_no_slot_is_free_is_told(lightwork: Invoke, kept: Store, jobs: Made) -> None:
    first, worker = jobs.ready(), jobs.worker(slots=1)
    assert len(kept.claim(worker, lanes=kept.lanes(["default"]), limit=1)) == 1
    second = jobs.ready()

    assert why(lightwork, kept, first) is None
    text = "the only slot of the workers that know its task is taken"
    assert why(lightwork, kept, second) == text


def test_a_task_that_nobody_knows_is_told(lightwork: Invoke, kept: Store, jobs: Made) -> None:
    jobs.worker()
    job_id = jobs.ready(task="other:task")

    assert why(lightwork, kept, job_id) == "no live worker knows this task"


def test_a_task_that_could_not_be_loaded_is_told_with_the_error(
    lightwork: Invoke, kept: Store, jobs: Made
) -> None:
    worker, job_id = jobs.worker(), jobs.ready()
    rest = say_resting("script:square", "ImportError: no\nsuch \udc80 part")
    kept.publish_tasks(worker, ["script:square", rest])

    text = "no live worker could load this task: ImportError: no such ? part"
    assert why(lightwork, kept, job_id) == text
    jobs.worker()
    assert why(lightwork, kept, job_id) == TURN


def test_a_full_queue_is_told(lightwork: Invoke, kept: Store, jobs: Made) -> None:
    jobs.running()
    job_id = jobs.ready()
    kept.limit_queue("default", 1)

    assert why(lightwork, kept, job_id) == "the limit of the queue 'default' is full: 1 of 1 run"
    assert "default: limit 1 (full), 1 ready, 1 running" in lightwork("status", kept.url).stdout


def test_a_full_limit_is_told(lightwork: Invoke, kept: Store, jobs: Made) -> None:
    limit = Limit("tenant:ada", running=1)
    jobs.tied(limit, number=1)
    waits = jobs.tied(limit, number=2)
    worker = jobs.worker()
    kept.claim(worker, lanes=kept.lanes(["default"]), limit=2)

    assert why(lightwork, kept, waits) == "the limit 'tenant:ada' has no room: 1 at a time"
    assert "'tenant:ada' has no room" in lightwork("jobs", kept.url, "--state", "blocked").stdout


def test_other_jobs_and_the_clock_are_told(lightwork: Invoke, kept: Store, jobs: Made) -> None:
    parent = jobs.ready()
    child = NewJob(id=new_job_id(), task="script:square", payload=b"", after=(parent,))
    kept.submit([child])
    late, again = jobs.ready(delay=7230.0), jobs.retried()

    text = f"job {parent}, which it was submitted after, has not ended"
    assert why(lightwork, kept, child.id) == text
    assert why(lightwork, kept, late) == "it is due in 2 h 00 m"
    assert str(why(lightwork, kept, again)).endswith("after an attempt that failed")


def test_what_has_ended_waits_for_nothing(lightwork: Invoke, kept: Store, jobs: Made) -> None:
    assert why(lightwork, kept, jobs.succeeded()) is None
