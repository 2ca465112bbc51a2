"""`lightwork queues`: the list, and what a person does to one."""

import json

import pytest

from cli.conftest import Invoke
from cli.jobs_made import Made
from lightwork.model import State


def test_the_list_says_who_serves_a_queue(lightwork: Invoke, made: Made) -> None:
    made.ready()
    made.ready(queue="mail")
    made.worker()
    made.store.pause("idle")

    lines = lightwork("queues").stdout.splitlines()

    assert [line.split("\t")[:3] for line in lines] == [
        ["QUEUE", "STATE", "WORKERS"],
        ["default", "open", "1"],
        ["idle", "paused", "0"],
        ["mail", "unserved", "0"],
    ]


def test_the_list_is_json_on_request(lightwork: Invoke, made: Made) -> None:
    made.ready(delay=60.0)

    (found,) = map(json.loads, lightwork("queues", "--json").stdout.splitlines())

    assert (found["queue"], found["paused_at"], found["workers"]) == ("default", None, 0)
    assert found["states"]["scheduled"] == 1


@pytest.mark.parametrize("url_first", [True, False])
def test_a_queue_is_paused_and_goes_on(lightwork: Invoke, made: Made, url_first: bool) -> None:
    made.ready()
    url = made.store.url
    words = [url, "pause", "default"] if url_first else ["pause", "default", url]

    done = lightwork("queues", *words)

    assert (done.stdout, made.store.lanes(["default"])) == ("default is paused\n", [])
    assert lightwork("queues", "resume", "default").stdout == "default goes on\n"
    assert len(made.store.lanes(["default"])) == 1


@pytest.mark.parametrize("url_first", [True, False])
def test_a_limit_is_set_shown_and_taken_away(
    lightwork: Invoke, made: Made, url_first: bool
) -> None:
    made.ready()
    url = made.store.url
    words = [url, "limit", "default", "3"] if url_first else ["limit", "default", "3", url]

    done = lightwork("queues", *words)

    text = "default: at most 3 of its jobs may run at once"
    assert done.stdout == f"{text}\n"
    assert lightwork("queues", *words).stdout == f"{text}, as before\n"
    (found,) = map(json.loads, lightwork("queues", "--json").stdout.splitlines())
    assert found["limit"] == 3
    header, line = lightwork("queues").stdout.splitlines()
    assert dict(zip(header.split("\t"), line.split("\t"), strict=True))["LIMIT"] == "3"
    assert "default: limit 3, 1 ready" in lightwork("status").stdout
    done = lightwork("queues", "limit", "default", "--off", "--json")
    assert json.loads(done.stdout) == {"queue": "default", "limit": None}
    (found,) = map(json.loads, lightwork("queues", "--json").stdout.splitlines())
    assert found["limit"] is None


@pytest.mark.parametrize(
    "words",
    [[], ["default"], ["default", "0"], ["default", "many"], ["default", "3", "--off"], ["--off"]],
)
def test_a_limit_is_a_queue_and_a_number(lightwork: Invoke, made: Made, words: list[str]) -> None:
    made.ready()

    done = lightwork("queues", "limit", *words)

    assert (done.exit_code, "a number of jobs" in done.stderr) == (2, True)
    assert [view.limit for view in made.store.queues()] == [0]


def test_purge_cancels_all_that_waits(lightwork: Invoke, made: Made) -> None:
    jobs = [made.ready() for _ in range(3)]

    done = lightwork("queues", "purge", "default", "--json")

    assert json.loads(done.stdout) == {"queue": "default", "purged": 3}
    assert set(made.store.states(jobs).values()) == {State.CANCELLED}


def test_a_queue_must_be_named(lightwork: Invoke, made: Made) -> None:
    made.ready()

    done = lightwork("queues", "purge")

    assert (done.exit_code, "name one queue" in done.stderr) == (2, True)


def test_what_waits_in_a_paused_queue_is_no_illness(lightwork: Invoke, made: Made) -> None:
    made.ready()
    made.store.pause("default")

    done = lightwork("status")

    assert done.exit_code == 0
    assert "default: paused 1 ready" in done.stdout


def test_whoever_waits_in_a_paused_queue_is_told(lightwork: Invoke, made: Made) -> None:
    made.ready()
    made.store.pause("default")

    assert "the queue 'default' is paused" in lightwork("jobs").stdout


def test_a_pause_of_a_queue_that_nobody_knows_says_so(lightwork: Invoke, made: Made) -> None:
    made.ready(queue="mail")

    done = lightwork("queues", "pause", "mial")

    assert done.exit_code == 0
    assert "no job and no worker knows a queue of this name yet" in done.stdout
    assert "did you mean 'mail'?" in done.stdout
    known = [lightwork("queues", "pause", name, "--json").stdout for name in ("mial", "mail")]
    assert [json.loads(found)["known"] for found in known] == [False, True]


def test_a_name_that_would_break_lines_is_no_queue(lightwork: Invoke, made: Made) -> None:
    made.ready()

    done = lightwork("queues", "pause", "two\nlines")

    assert done.exit_code != 0
    assert "none of them for control" in done.stderr
