"""Jobs for other languages, in plain JSON; and the document that says all of it."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from lightwork.codec import Codec, Subject
from lightwork.lifecycle import Failed, Succeeded
from lightwork.model import Attempt, ErrorInfo, Lane
from lightwork.net.server.app import App
from lightwork.net.server.face.openapi import document
from lightwork.store.contract import Store
from net.server.asked import ask
from store.steps import new_job, registered

GOLDEN = Path(__file__).with_name("openapi.json")


def claimed(store: Store) -> tuple[uuid.UUID, Attempt]:
    worker = registered(store)
    (attempt,) = store.claim(worker, lanes=[Lane("default", "m:f")], limit=1)
    return worker, attempt


def test_a_job_is_submitted_looked_at_and_read_in_plain_json(url: str, database: Store) -> None:
    said = {"task": "m:f", "args": [1, "a"], "kwargs": {"b": None}, "priority": 3, "tags": ["x"]}
    made = ask(url, "POST", "/v1/jobs", said)
    path = f"/v1/jobs/{made.body['id']}"
    worker, attempt = claimed(database)
    running = ask(url, "GET", f"{path}/result")
    result = Codec().encode_result(Subject(attempt.job_id, "m:f"), {"answer": (1, {2})})
    database.ack(worker, [(attempt, Succeeded(result))])

    assert (made.status, made.body["is_new"]) == (200, True)
    assert Codec().decode_call(Subject(attempt.job_id, "m:f"), attempt.payload) == (
        (1, "a"),
        {"b": None},
    )
    assert attempt.policy.priority == 3
    (listed,) = ask(url, "GET", "/v1/jobs?tag=x").body["jobs"]
    assert listed["id"] == made.body["id"]
    assert running.body == {"id": made.body["id"], "state": "running"}
    assert ask(url, "GET", f"{path}/result").body["result"] == {"answer": [1, [2]]}
    assert ask(url, "GET", path).body["state"] == "succeeded"


def test_a_payload_beyond_the_setting_is_refused_in_words(url: str, database: Store) -> None:
    database.change_setting("max_payload", 2048, by="ada@analytical")

    got = ask(url, "POST", "/v1/jobs", {"task": "m:f", "args": ["x" * 3000]})

    assert (got.status, got.body["kind"]) == (422, "PayloadError")
    assert "set by ada@analytical" in got.body["text"]
    assert got.body["fields"]["allowed"] == 2048 < got.body["fields"]["seen"]
    assert database.jobs() == []


def test_an_id_of_ones_own_makes_a_repeat_harmless(url: str) -> None:
    said = {"task": "m:f", "id": str(uuid.uuid4())}

    assert ask(url, "POST", "/v1/jobs", said).body == {"id": said["id"], "is_new": True}
    assert ask(url, "POST", "/v1/jobs", said).body == {"id": said["id"], "is_new": False}


@pytest.mark.parametrize("other", [{"task": "m:g"}, {"args": [2]}, {"kwargs": {"a": 1, "b": 3}}])
def test_an_id_of_another_call_is_refused(url: str, database: Store, other: dict[str, Any]) -> None:
    said = {"task": "m:f", "id": str(uuid.uuid4()), "args": [1], "kwargs": {"a": 1, "b": {"c": 2}}}
    ask(url, "POST", "/v1/jobs", said)
    again = ask(url, "POST", "/v1/jobs", said | {"kwargs": {"b": {"c": 2}, "a": 1}})

    got = ask(url, "POST", "/v1/jobs", said | other)

    assert again.body == {"id": said["id"], "is_new": False}
    assert (got.status, got.body["kind"]) == (422, "UsageError")
    assert "belongs to another call" in got.body["text"]
    (view,) = database.jobs()
    assert view.task == "m:f"


def test_an_id_whose_call_cannot_be_read_is_taken_for_the_same(url: str, database: Store) -> None:
    job = new_job(payload=b"no call")
    database.submit([job])

    got = ask(url, "POST", "/v1/jobs", {"task": job.task, "id": str(job.id)})

    assert got.body == {"id": str(job.id), "is_new": False}


@pytest.mark.parametrize(
    ("query", "expected", "seen"),
    [
        ("limit=0", "limit: Expected `int` >= 1", "'0'"),
        ("limit=1001", "limit: Expected `int` <= 1000", "'1001'"),
        ("limit=", "limit: Expected `int`", "''"),
        ("limit=1.5", "limit: Expected `int`", "'1.5'"),
        ("before=-1", "before: Expected `int` >= 1", "'-1'"),
        (f"before={2**63}", "before: Expected `int` <= 9223372036854775807", f"'{2**63}'"),
    ],
)
def test_a_number_out_of_its_bounds_is_told_and_not_clamped(
    url: str, query: str, expected: str, seen: str
) -> None:
    got = ask(url, "GET", f"/v1/jobs?{query}")

    assert (got.status, got.body["kind"]) == (422, "UsageError")
    assert expected in got.body["text"]
    assert f"seen: {seen}" in got.body["text"]


def test_why_a_job_failed_is_told(url: str, database: Store) -> None:
    made = ask(url, "POST", "/v1/jobs", {"task": "m:f"})
    worker, attempt = claimed(database)
    error = ErrorInfo(type="ValueError", text="no", traceback="secret.py")
    database.ack(worker, [(attempt, Failed(error))])

    got = ask(url, "GET", f"/v1/jobs/{made.body['id']}/result").body

    assert (got["state"], got["error"]) == ("failed", {"type": "ValueError", "text": "no"})


def test_a_pickled_result_is_never_loaded(url: str, database: Store) -> None:
    made = ask(url, "POST", "/v1/jobs", {"task": "m:f"})
    worker, attempt = claimed(database)
    subject = Subject(attempt.job_id, "m:f")
    pickled = Codec(authkey=b"k" * 32).encode_result(subject, test_a_pickled_result_is_never_loaded)
    database.ack(worker, [(attempt, Succeeded(pickled))])

    got = ask(url, "GET", f"/v1/jobs/{made.body['id']}/result")

    assert (got.status, got.body["kind"]) == (422, "PayloadError")


def test_a_job_is_cancelled(url: str) -> None:
    made = ask(url, "POST", "/v1/jobs", {"task": "m:f", "delay": 60})

    got = ask(url, "POST", f"/v1/jobs/{made.body['id']}/cancel", {})

    assert got.body == {"id": made.body["id"], "state": "cancelled"}


def test_jobs_are_listed_page_by_page(url: str) -> None:
    ids = [ask(url, "POST", "/v1/jobs", {"task": "m:f"}).body["id"] for _ in range(3)]

    first = ask(url, "GET", "/v1/jobs?limit=2&state=ready").body
    second = ask(url, "GET", f"/v1/jobs?limit=2&before={first['next']}").body

    assert [job["id"] for job in first["jobs"] + second["jobs"]] == ids[::-1]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("asked", "body", "status"),
    [
        ("GET /v1/jobs/no-id", None, 422),
        ("GET /v1/jobs/00000000-0000-0000-0000-000000000000", None, 404),
        ("POST /v1/jobs/00000000-0000-0000-0000-000000000000/cancel", {}, 404),
        ("GET /v1/jobs?state=lost", None, 422),
        ("GET /v1/jobs?stat=ready", None, 422),
        ("POST /v1/jobs", {"task": "m:f", "prio": 1}, 422),
        ("POST /v1/jobs", {"task": "m:f", "priority": 2**40}, 422),
        ("POST /v1/jobs", {}, 422),
        ("POST /v1/jobs", {"task": "m:" + "f" * 500}, 422),
        ("POST /v1/jobs", {"task": "m:f\0"}, 422),
        ("GET /v1/jobs?tag=%00", None, 422),
        ("DELETE /v1/jobs", None, 405),
        ("PUT /v1/jobs/00000000-0000-0000-0000-000000000000", None, 405),
    ],
)
def test_what_makes_no_sense_is_told_and_changes_nothing(
    url: str, database: Store, asked: str, body: Any, status: int
) -> None:
    method, path = asked.split()

    got = ask(url, method, path, body)

    assert (got.status, database.jobs()) == (status, [])
    assert got.body["text"]


def lines(app: App) -> str:
    """Return the document with a line for each path and each schema."""
    found = document(app.routes.all[1:], "VERSION")
    schemas = found["components"]["schemas"]
    parts = [
        *(f"{path} {json.dumps(found['paths'][path], sort_keys=True)}" for path in found["paths"]),
        *(f"{name} {json.dumps(schemas[name], sort_keys=True)}" for name in sorted(schemas)),
    ]
    return "\n".join(parts) + "\n"


def test_the_document_says_what_it_said(app: App) -> None:
    app._calls.close()
    seen = lines(app)
    if not GOLDEN.exists():
        GOLDEN.write_text(seen)

    # What others have built on changes only on purpose: then delete the file, and run this again.
    assert seen == GOLDEN.read_text()


def test_the_document_is_there_for_whoever_asks(url: str, app: App) -> None:
    got = ask(url, "GET", "/openapi.json").body

    assert got["openapi"] == "3.1.0"
    assert {route.path for route in app.routes.all} == {*got["paths"], "/openapi.json"}
    names = [one["operationId"] for path in got["paths"].values() for one in path.values()]
    assert len(names) == len(set(names))
    text = json.dumps(got)
    references = {part.partition('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert references <= got["components"]["schemas"].keys()
