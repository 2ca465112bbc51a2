"""What comes from the network, whatever it is, is answered: refused before anything is done."""

import math
import threading
import uuid

import pytest

from lightwork.net.keys.roles import ROLES, Role
from lightwork.net.server.app import App
from lightwork.net.server.calls import THREADS
from lightwork.net.server.request import Caller, Request
from lightwork.net.server.routes import Route
from lightwork.net.wire import media
from lightwork.net.wire.about import CHANGES, Poll
from lightwork.net.wire.failures import Refused
from lightwork.net.wire.media import MSGPACK
from lightwork.net.wire.methods import METHODS
from lightwork.store.contract import Store
from lightwork.store.sqlstore import open_store
from net.served import served
from net.server.asked import ask, living

JOB = {"task": "m:f", "payload": "AA==", "id": str(uuid.uuid4())}


def test_a_store_is_asked_by_json(url: str) -> None:
    made = ask(url, "POST", "/v1/store/submit", {"jobs": [JOB], "taken": True})
    states = ask(url, "POST", "/v1/store/states", {"job_ids": [JOB["id"]]})

    assert (made.status, made.body["result"]) == (200, [True])
    assert states.body == {JOB["id"]: "ready"}


def test_nothing_is_behind_a_path_that_is_no_route(url: str) -> None:
    for path in (
        "/",
        "/v1/store/close",
        "/v1/store/submit/",
        "//v1/store/states",
        "/v1/../healthz",
    ):
        assert ask(url, "POST", path, {}).status == 404


def test_a_path_is_taken_as_it_was_sent(url: str) -> None:
    # Decoded it would be that of a route.
    assert ask(url, "POST", "/v1/store/%73tates", {"job_ids": []}).status == 404


def test_another_method_is_told_so(url: str) -> None:
    assert ask(url, "GET", "/v1/store/states").status == 405


@pytest.mark.parametrize(
    "body",
    [
        {"jobs": [], "unknown": 1},
        {"jobs": "no list"},
        {},
        [],
        {"jobs": [JOB | {"id": "no id"}]},
        b"{",
        b"\xff",
    ],
)
def test_what_is_no_request_of_the_method_is_refused_and_changes_nothing(
    url: str, database: Store, body: object
) -> None:
    got = ask(url, "POST", "/v1/store/submit", body)

    assert (got.status, got.body["kind"]) == (422, "UsageError")
    assert database.jobs() == []


NONSENSE: dict[str, list[dict[str, object]]] = {
    "queue": [{"policy": {"queue": one}} for one in ("", "a\0b", "x" * 101)],
    "priority": [{"policy": {"priority": one}} for one in (2**31, -(2**31))],
    "retries": [{"policy": {"retries": -1}}],
    "max_crashes": [{"policy": {"max_crashes": 0}}],
    "max_memory": [{"policy": {"max_memory": -1}}],
    "timeout": [{"policy": {"timeout": one}} for one in (-1.0, 1e9)],
    "backoff.base": [{"policy": {"backoff": {"base": -1.0}}}],
    "delay or at": [{"policy": {"delay": 1.0, "at": "2030-01-01T00:00:00Z"}}],
    "time zone": [{"policy": {"at": "2030-01-01T00:00:00"}}],
    "tag": [{"policy": {"tags": one}} for one in (["a", "a"], [" "], ["x"] * 30)],
    "header": [{"policy": {"headers": one}} for one in ([["a", "b"], ["a", "c"]], [["a", "\n"]])],
    "until": [{"unique": ["AAAAAAAAAAAAAAAAAAAAAA==", "never", 0.0, "skip"]}],
    "unique key": [{"unique": ["AA==", "end", 0.0, "skip"]}],
    "limits nothing": [{"limits": [{"key": "a"}]}],
    "key of a limit": [{"limits": [{"key": " ", "running": 1}]}],
    "one key": [{"limits": [{"key": "a", "running": 1}, {"key": "a", "rate": 1.0}]}],
}


@pytest.mark.parametrize(
    ("word", "said"), [(word, one) for word, many in NONSENSE.items() for one in many]
)
def test_a_job_that_no_executor_makes_is_refused_with_all_beside_it(
    url: str, database: Store, word: str, said: dict[str, object]
) -> None:
    jobs = [JOB | {"id": str(uuid.uuid4())}, JOB | said]

    got = ask(url, "POST", "/v1/store/submit", {"jobs": jobs})

    assert (got.status, got.body["kind"]) == (422, "UsageError")
    assert (
        f"a program of this machine has asked to keep job {JOB['id']} of task 'm:f'"
        in got.body["text"]
    )
    assert word in got.body["text"]
    assert database.jobs() == []


def test_a_schedule_that_no_task_declares_is_refused(url: str, database: Store) -> None:
    new = {"name": "n", "task": "m:f", "spec": "every 30s", "payload": ""}

    kept = ask(url, "POST", "/v1/store/declare_schedules", {"schedules": [new | {"name": "k"}]})
    got = ask(
        url, "POST", "/v1/store/declare_schedules", {"schedules": [new | {"policy": {"queue": ""}}]}
    )

    assert (kept.status, kept.body) == (200, ["k"])
    assert (got.status, "schedule 'n' of task 'm:f'" in got.body["text"]) == (422, True)
    assert [view.name for view in database.schedules()] == ["k"]


def test_an_attempt_ends_only_in_a_way_that_there_is(url: str) -> None:
    name = [str(uuid.uuid4()), 1, 1, "default", 0]
    got = ask(
        url,
        "POST",
        "/v1/store/ack",
        {"worker_id": str(uuid.uuid4()), "ends": [[name, {"kind": "promoted"}]]},
    )

    assert (got.status, "no end of an attempt" in got.body["text"]) == (422, True)


@pytest.mark.parametrize("announces", [True, False], ids=["announced", "chunked"])
def test_a_body_that_is_too_large_is_not_read(database: Store, *, announces: bool) -> None:
    with served(App(database, largest_body=1000)) as url:
        headers = {} if announces else {"Transfer-Encoding": "chunked"}
        body = b"x" * 1001 if announces else b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n"

        got = ask(url, "POST", "/v1/store/states", body, headers)

        assert (got.status, got.body["kind"]) == (413, "UsageError")
        # What was not read is not taken for the next request.
        assert got.headers["connection"] == "close"
        assert ask(url, "GET", "/healthz").status == 200


def test_no_header_says_where_this_is_or_who_asks(url: str) -> None:
    lies = {"Host": "localhost:1", "X-Forwarded-For": "1.2.3.4", "X-Forwarded-Host": "evil"}

    got = ask(url, "POST", "/v1/store/states", {"job_ids": []}, lies)

    assert (got.status, got.body) == (200, {})
    assert not any("evil" in value for value in got.headers.values())


@pytest.mark.parametrize(
    "said",
    [
        # A page sends what it likes to any address, without being able to read the answer ...
        {"Origin": "http://evil.example"},
        {"Origin": "null", "Content-Type": "text/plain"},
        {"Origin": "http://localhost:8000"},
        # ... or can read it, where a name of its own leads to this machine.
        {"Host": "evil.example:5000"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "[::1"},
        {"Host": ""},
    ],
)
def test_without_a_key_no_page_of_elsewhere_is_answered(
    url: str, database: Store, said: dict[str, str]
) -> None:
    got = ask(url, "POST", "/v1/store/submit", {"jobs": [JOB]}, said)

    assert (got.status, got.body["kind"]) == (403, "AuthError")
    assert database.jobs() == []


@pytest.mark.parametrize("host", ["localhost:5000", "127.0.0.1", "[::1]:5000"])
def test_without_a_key_a_page_of_its_own_is_answered(url: str, host: str) -> None:
    said = {"Host": host, "Origin": f"http://{host}"}

    assert ask(url, "POST", "/v1/store/states", {"job_ids": []}, said).status == 200


def test_a_call_of_another_server_is_not_done_perhaps_twice(url: str, database: Store) -> None:
    got = ask(url, "POST", "/v1/store/submit?call=1&first=another", {"jobs": [JOB]})

    assert (got.status, got.body["kind"]) == (503, "StoreUnavailable")
    assert got.body["fields"]["server"]
    assert database.jobs() == []


def test_what_was_submitted_under_one_id_is_one_call(url: str, database: Store) -> None:
    first = ask(url, "POST", "/v1/store/submit?call=1", {"jobs": [JOB]})
    again = ask(url, "POST", "/v1/store/submit?call=1", {"jobs": [JOB]})
    other = ask(url, "POST", "/v1/store/submit?call=2", {"jobs": [JOB]})
    misused = ask(url, "POST", "/v1/store/submit?call=1", {"jobs": []})

    assert [one.body["result"] for one in (first, again, other)] == [[True], [True], [False]]
    assert misused.status == 422
    assert len(database.jobs()) == 1


def test_a_lease_is_renewed_though_all_others_ask_for_much(app: App, url: str) -> None:
    go_on = threading.Event()
    busy = [app._calls._threads.submit(go_on.wait, 30) for _ in range(THREADS)]
    said = {"worker_id": str(uuid.uuid4()), "lease": 1}

    got = ask(url, "POST", "/v1/store/renew", said)
    go_on.set()

    assert (got.status, got.body) == (200, False)
    assert all(one.result() for one in busy)


@pytest.fixture(scope="module")
def all_routes(tmp_path_factory: pytest.TempPathFactory) -> list[Route]:
    with open_store(f"sqlite:///{tmp_path_factory.mktemp('x')}/x.db") as store:  # type: ignore[attr-defined]
        app = App(store)
        app._calls.close()
        return list(app.routes.all)


# Beside "admin", who may ask all. What a role is for is said once more, by somebody who asks differently.
SHARING = {
    *("open_session", "renew_session", "end_session", "open_primitive"),
    *("ask_primitive", "collect_reply", "withdraw_request"),
}
MAY: dict[Role, set[str]] = {
    "submit": {
        *SHARING,
        *("submit", "cancel", "retry"),
        *("states", "outcomes", "results_size", "progress", "job", "held_up", "workers", "summary"),
        "settings",
    },
    "view": {
        *("states", "outcomes", "results_size", "progress", "job", "held_up", "workers", "summary"),
        "settings",
        *("lanes", "chores", "schedules", "schedule", "queues", "jobs", "payloads"),
        *("relatives", "attempts", "depths", "history", "totals", "stats", "check"),
        *("news_mark", "new_jobs", "ended_jobs", "ended_attempts"),
        "primitives",
    },
    "work": {
        *SHARING,
        "prune_primitives",
        *("states", "outcomes", "results_size", "progress", "job", "held_up", "workers", "summary"),
        "settings",
        *("register", "renew", "is_draining", "draining", "sign_off", "release_others"),
        "publish_tasks",
        *("lanes", "claim", "ack", "report_progress", "cancel_requests"),
        *("promote", "expire", "unblock", "readmit", "recount_limits", "rescue", "fold"),
        *("chores", "prune", "align_clock", "add_rollups", "fold_rollups"),
        *("declare_schedules", "schedules", "schedule", "remove_schedules", "run_due_schedules"),
    },
    "admin": set(METHODS),
}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_do_what_it_is_for_and_nothing_else(
    all_routes: list[Route], role: Role
) -> None:
    by_path = {route.path: route for route in all_routes}

    allowed = {
        name for name, method in METHODS.items() if by_path[method.path].allows(Caller(role))
    }

    assert allowed == MAY[role]


def test_each_route_says_whom_it_is_for(all_routes: list[Route]) -> None:
    others = {
        (route.method, route.path): route.roles
        for route in all_routes
        if not route.path.startswith("/v1/store/") and route.roles is not None
    }

    assert others == {
        ("POST", "/v1/about"): ROLES,
        ("POST", "/v1/changes"): ROLES,
        ("POST", "/v1/jobs"): ("submit",),
        ("GET", "/v1/jobs"): ("view",),
        ("GET", "/v1/jobs/{id}"): ("submit", "work", "view"),
        ("GET", "/v1/jobs/{id}/result"): ("submit", "work", "view"),
        ("POST", "/v1/jobs/{id}/cancel"): ("submit",),
    }


def test_without_a_proof_there_is_only_what_says_nothing(all_routes: list[Route]) -> None:
    assert {route.path for route in all_routes if route.roles is None} <= {
        "/healthz",
        "/openapi.json",
    }


@pytest.mark.parametrize("role", ["submit", "view"])
def test_a_key_that_may_not_work_is_neither_told_of_jobs_nor_renews_leases_by_a_poll(
    app: App, role: Role
) -> None:
    poll = Poll(workers=[uuid.uuid4()], queues=["default"], lease=15.0)
    request = Request("POST", CHANGES, "", {"content-type": MSGPACK}, media.encode(poll, MSGPACK))

    with pytest.raises(Refused, match="does not poll as workers do"):
        living(app, lambda: app._poll(request, Caller(role), {}))


@pytest.mark.parametrize(
    ("poll", "said"),
    [
        (Poll(queues=["a"] * 201), "up to 200 queues; seen: 201"),
        (Poll(workers=[uuid.uuid4() for _ in range(201)]), "up to 200 workers; seen: 201"),
        (Poll(queues=["\0"]), "is no name of a queue"),
        (Poll(queues=["a" * 101]), "is no name of a queue"),
        (Poll(queues=[""]), "is no name of a queue"),
        (Poll(wait=math.nan), "wait is a number of seconds"),
        (Poll(queues=["a"], lease=-5.0), "lease must be from 0.5 to 3600 seconds"),
        (Poll(queues=["a"], lease=1e15), "lease must be from 0.5 to 3600 seconds"),
    ],
)
def test_a_poll_that_would_cost_others_is_refused(app: App, poll: Poll, said: str) -> None:
    request = Request("POST", CHANGES, "", {"content-type": MSGPACK}, media.encode(poll, MSGPACK))

    with pytest.raises(Refused, match=said):
        living(app, lambda: app._poll(request, Caller("admin"), {}))


def test_a_key_that_may_not_work_says_nothing_of_who_polls(app: App) -> None:
    poll = Poll(workers=[uuid.uuid4()])
    request = Request("POST", CHANGES, "", {"content-type": MSGPACK}, media.encode(poll, MSGPACK))

    living(app, lambda: app._poll(request, Caller("view"), {}))

    assert not app._calls.pollers._last
