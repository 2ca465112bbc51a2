"""A job is named by its number or its UUID, wherever a job is named."""

import json
from uuid import UUID

import pytest

from cli.conftest import Invoke
from cli.jobs_made import Made
from lightwork.cli.jobs.names import parse_names
from lightwork.model import State
from lightwork.store.contract import Store

ID = UUID("01a208e3-c262-726d-99db-b8702431cc0f")


@pytest.mark.parametrize("form", [str(ID), ID.hex, ID.urn, f"{{{ID}}}", str(ID).upper()])
def test_every_form_of_a_uuid_is_one(form: str) -> None:
    assert parse_names([form]) == [ID]


def test_a_uuid_of_digits_alone_is_no_number() -> None:
    assert parse_names(["0" * 31 + "7"]) == [UUID(int=7)]


def test_the_number_that_the_list_shows_names_the_job(lightwork: Invoke, made: Made) -> None:
    made.ready()
    job_id = made.ready()
    number = lightwork("jobs", "--limit", 1).stdout.splitlines()[1].split("\t")[0]

    found = json.loads(lightwork("jobs", "show", number, "--json").stdout)

    assert found["id"] == str(job_id)


def test_cancel_takes_a_number_and_answers_with_it(
    lightwork: Invoke, made: Made, store: Store
) -> None:
    job_id = made.ready()

    done = lightwork("jobs", "cancel", 1)

    assert done.stdout == "1\tcancelled\n"
    assert store.states([job_id]) == {job_id: State.CANCELLED}


def test_retry_takes_a_number(lightwork: Invoke, made: Made, store: Store) -> None:
    job_id = made.failed()

    done = lightwork("jobs", "retry", 1)

    assert done.stdout == "1\tready\n"
    assert store.states([job_id]) == {job_id: State.READY}


def test_wait_takes_numbers_and_uuids(lightwork: Invoke, made: Made) -> None:
    made.succeeded()
    job_id = made.succeeded()

    done = lightwork("jobs", "wait", 1, job_id)

    assert done.stdout == f"1\tsucceeded\n{job_id}\tsucceeded\n"


def test_a_job_that_is_named_twice_is_one(lightwork: Invoke, made: Made) -> None:
    job_id = made.succeeded()

    done = lightwork("jobs", "wait", 1, job_id, "--json")

    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize("verb", ["show", "retry", "cancel", "wait"])
def test_a_number_that_no_job_has_is_wrong_use(lightwork: Invoke, made: Made, verb: str) -> None:
    made.ready()

    done = lightwork("jobs", verb, 2)

    assert done.exit_code == 2
    assert "lightwork: no job 2 in sqlite" in done.stderr
