"""`lightwork jobs`: list, show, retry, cancel, wait."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from cli.conftest import Invoke
from cli.jobs_made import ERROR, Made
from cli.runs import run, start
from lightwork.codec import Codec
from lightwork.model import ErrorInfo, Limit, Progress, State
from lightwork.store.contract import Store
from store.steps import new_job

UNKNOWN = "01a208e3-c262-726d-99db-b8702431cc0f"


def rows_of(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()[1:]]


def objects_of(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_list_is_newest_first_and_whole_in_a_pipe(lightwork: Invoke, made: Made) -> None:
    good, bad, waiting = made.succeeded(), made.failed(), made.ready()

    rows = rows_of(lightwork("jobs").stdout)

    assert [row[:4] for row in rows] == [
        ["3", "ready", "script:square", "default"],
        ["2", "failed", "script:square", "default"],
        ["1", "succeeded", "script:square", "default"],
    ]
    assert [row[8] for row in rows] == ["no worker is alive", "ValueError: wrong", ""]
    assert [row[9] for row in rows] == [str(waiting), str(bad), str(good)]


def test_an_empty_store_has_an_empty_list(lightwork: Invoke, store: Store) -> None:
    done = lightwork("jobs", "--json")

    assert (done.exit_code, done.stdout) == (0, "")


def test_the_list_can_be_asked_for_by_name(lightwork: Invoke, made: Made) -> None:
    job_id = made.ready()

    done = lightwork("jobs", "list", "--quiet")

    assert done.stdout == f"{job_id}\n"


@pytest.mark.parametrize(
    ("option", "value"),
    [("--state", "failed"), ("--task", "script:other"), ("--queue", "mail"), ("--limit", "1")],
)
def test_the_list_can_be_narrowed(lightwork: Invoke, made: Made, option: str, value: str) -> None:
    make: dict[str, Callable[[], UUID]] = {
        "--state": made.failed,
        "--task": lambda: made.ready(task="script:other"),
        "--queue": lambda: made.ready(queue="mail"),
        "--limit": made.ready,
    }
    made.succeeded()
    made.ready()
    job_id = make[option]()

    done = lightwork("jobs", option, value, "--quiet")

    assert done.stdout == f"{job_id}\n"


def test_json_tells_instants_states_and_ids_as_text(lightwork: Invoke, made: Made) -> None:
    job_id = made.failed()

    (found,) = objects_of(lightwork("jobs", "--json").stdout)

    assert (found["id"], found["state"]) == (str(job_id), "failed")
    assert str(found["created_at"]).endswith("Z")
    assert found["error"] == {
        "type": "ValueError",
        "text": "wrong",
        "traceback": "Traceback: in line 7\nValueError",
    }


def test_a_running_job_shows_how_far_it_is(lightwork: Invoke, made: Made) -> None:
    made.running(Progress(done=3, total=4, note="reading\x07"))

    ((*_, note, _uuid),) = rows_of(lightwork("jobs").stdout)

    assert note == "75% reading\\x07"


def test_a_scheduled_job_shows_when_it_is_due(lightwork: Invoke, made: Made) -> None:
    made.retried()

    ((*_, note, _uuid),) = rows_of(lightwork("jobs").stdout)

    assert note.startswith("due in ")


@pytest.mark.parametrize("order", ["show {id} {url}", "show {url} {id}", "{url} show {id}"])
def test_the_url_may_stand_anywhere(
    lightwork: Invoke, made: Made, folder: Path, order: str
) -> None:
    job_id = made.ready()
    url = f"sqlite:///{folder}/lightwork.db"

    done = lightwork("jobs", *order.format(id=job_id, url=url).split())

    assert done.exit_code == 0
    assert str(job_id) in done.stdout


def test_show_tells_tags_limits_and_the_unique_key(lightwork: Invoke, made: Made) -> None:
    limits = (Limit("tenant:7", running=1), Limit("api", rate=120, per=60))
    first, second = made.tied(*limits), made.tied(*limits, number=2)
    made.store.claim(made.worker(), lanes=made.store.lanes(["default"]), limit=2)

    lines = lightwork("jobs", "show", second).stdout.splitlines()
    found = json.loads(lightwork("jobs", "show", second, "--json").stdout)

    assert "tags       import, night" in lines
    place = lines.index("limits     tenant:7: 1 at a time, waits for room")
    assert lines[place + 1] == "           api: 2 a second, 2 at once"
    assert f"unique     {'00' * 15}02 held until it begins" in lines
    assert found["tags"] == ["import", "night"]
    limit = {"key": "tenant:7", "running": 1, "rate": 0.0, "burst": 0.0, "waits": True}
    assert found["limits"][0] == limit
    assert found["unique"] == {"key": "00" * 15 + "02", "until": "begin", "is_held": True}
    assert "tags" not in found["policy"]
    shown = lightwork("jobs", "show", first).stdout
    assert f"unique     {'00' * 15}01 not held any more\n" in shown


def test_show_tells_where_an_attempt_was(lightwork: Invoke, made: Made) -> None:
    job_id = made.failed()

    shown = lightwork("jobs", "show", job_id).stdout
    found = json.loads(lightwork("jobs", "show", job_id, "--json").stdout)

    assert " on ada ValueError: wrong" in shown
    assert found["attempts"][0]["worker_name"] == "ada"


def test_show_tells_the_signal_and_the_most_memory_of_an_attempt(
    lightwork: Invoke, made: Made
) -> None:
    error = ErrorInfo(type="WorkerLost", text="gone", signal=9, peak_memory=2_100_000_000)
    job_id = made.failed(error)

    shown = lightwork("jobs", "show", job_id).stdout
    found = json.loads(lightwork("jobs", "show", job_id, "--json").stdout)

    assert " on ada (SIGKILL, peak 2.10 GB) WorkerLost: gone" in shown
    (attempt,) = found["attempts"]
    assert (attempt["signal"], attempt["peak_memory"]) == (9, 2_100_000_000)
    assert "peak_memory" not in attempt["error"]


def test_show_tells_signals_without_a_name_by_their_number(lightwork: Invoke, made: Made) -> None:
    job_id = made.failed(ErrorInfo(type="WorkerLost", text="gone", signal=40))

    assert " (signal 40) WorkerLost" in lightwork("jobs", "show", job_id).stdout


def test_show_tells_all_of_a_job_that_failed(lightwork: Invoke, made: Made) -> None:
    job_id = made.failed(ErrorInfo(type="ValueError", text="one\ntwo", traceback="in line 7"))

    lines = lightwork("jobs", "show", job_id).stdout.splitlines()

    assert lines[0] == f"id         1, {job_id}"
    assert lines[1] == "state      failed"
    assert lines[lines.index("error      ValueError: one") + 1] == "           two"
    assert any(line.startswith("  attempt 1 failed at ") for line in lines)
    assert lines[-1] == "in line 7"


def test_show_tells_the_result(lightwork: Invoke, made: Made) -> None:
    job_id = made.succeeded({"area": 49})

    done = lightwork("jobs", "show", job_id)

    assert 'result     {"area": 49}' in done.stdout.splitlines()


def test_show_tells_results_that_json_lacks_by_their_repr(lightwork: Invoke, made: Made) -> None:
    job_id = made.succeeded({1 + 2j})

    done = lightwork("jobs", "show", job_id)

    assert "result     {(1+2j)}" in done.stdout.splitlines()


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (10**30, 10**30),
        ((1, "x"), [1, "x"]),
        ({(1, 2): 3}, "{(1, 2): 3}"),
        (b"x", "eA=="),
        (1j, "1j"),
    ],
)
def test_show_json_tells_every_result(
    lightwork: Invoke, made: Made, result: object, told: object
) -> None:
    job_id = made.succeeded(result)

    (found,) = objects_of(lightwork("jobs", "show", job_id, "--json").stdout)

    assert found["result"] == told


def test_show_never_loads_a_pickle(
    lightwork: Invoke, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = b"0123456789abcdef"
    monkeypatch.setenv("LIGHTWORK_AUTHKEY", key.decode())
    job_id = made.succeeded(ERROR, codec=Codec(authkey=key))

    (found,) = objects_of(lightwork("jobs", "show", job_id, "--json").stdout)

    assert found["result"] is None
    assert "signed pickle" in str(found["result_problem"])


def test_show_json_has_attempts_and_result(lightwork: Invoke, made: Made) -> None:
    good, bad = made.succeeded(), made.failed()

    of_good, of_bad = objects_of(lightwork("jobs", "show", "--json", good, bad).stdout)

    assert (of_good["result"], of_good["attempts"]) == (49, [])
    assert [attempt["outcome"] for attempt in of_bad["attempts"]] == ["failed"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("verb", ["show", "retry", "cancel", "wait"])
def test_an_unknown_job_is_wrong_use(lightwork: Invoke, store: Store, verb: str) -> None:
    done = lightwork("jobs", verb, UNKNOWN)

    assert done.exit_code == 2
    assert f"lightwork: no job {UNKNOWN} in sqlite" in done.stderr


@pytest.mark.parametrize("verb", ["retry", "cancel"])
def test_an_unknown_id_among_others_changes_nothing(
    lightwork: Invoke, made: Made, store: Store, verb: str
) -> None:
    job_id = made.ready() if verb == "cancel" else made.failed()
    before = store.states([job_id])

    lightwork("jobs", verb, job_id, UNKNOWN)

    assert store.states([job_id]) == before


def test_retry_makes_a_failed_job_ready(lightwork: Invoke, made: Made, store: Store) -> None:
    job_id = made.failed()

    done = lightwork("jobs", "retry", job_id)

    assert (done.exit_code, done.stdout) == (0, f"{job_id}\tready\n")
    assert store.states([job_id]) == {job_id: State.READY}


def test_retry_of_what_succeeded_is_a_failure(lightwork: Invoke, made: Made) -> None:
    job_id = made.succeeded()

    done = lightwork("jobs", "retry", job_id, "--json")

    assert done.exit_code == 1
    assert objects_of(done.stdout) == [{"id": str(job_id), "state": "succeeded"}]
    assert "is succeeded and cannot be retried" in done.stderr


def test_retry_of_a_child_names_the_parent_to_retry(
    lightwork: Invoke, made: Made, store: Store
) -> None:
    parent = made.failed()
    child = made.failed_child_of(parent)

    done = lightwork("jobs", "retry", child)

    assert done.exit_code == 1
    assert done.stderr == (
        f"lightwork: job {child} is failed and cannot be retried: it needs job {parent}, which did "
        "not succeed; retry that one first, or both at once\n"
    )

    done = lightwork("jobs", "retry", child, parent)

    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == f"{child}\tblocked\n{parent}\tready\n"
    assert store.states([parent, child]) == {parent: State.READY, child: State.BLOCKED}


def test_retry_of_a_job_whose_key_is_held_names_the_holder(
    lightwork: Invoke, made: Made, store: Store
) -> None:
    first, second = made.failed_of_one_key(), made.failed_of_one_key()

    done = lightwork("jobs", "retry", second, first)

    assert done.exit_code == 1
    assert done.stdout == f"{second}\tfailed\n{first}\tready\n"
    assert (
        f"{second} is failed and cannot be retried: job {first} holds its unique key" in done.stderr
    )


def test_cancel_ends_what_waits(lightwork: Invoke, made: Made, store: Store) -> None:
    job_id = made.ready()

    done = lightwork("jobs", "cancel", job_id)

    assert done.exit_code == 0
    assert store.states([job_id]) == {job_id: State.CANCELLED}


@pytest.mark.parametrize(("words", "kill"), [([], False), (["--kill"], True)])
def test_cancel_asks_what_runs(
    lightwork: Invoke, made: Made, store: Store, words: list[str], kill: bool
) -> None:
    job_id = made.running()

    done = lightwork("jobs", "cancel", job_id, *words)

    view = store.job(job_id)
    assert view is not None
    assert view.worker is not None
    assert done.stdout == f"{job_id}\trunning\n"
    assert store.cancel_requests(view.worker) == [(job_id, 1, kill)]


def test_cancel_of_what_has_ended_is_a_failure(lightwork: Invoke, made: Made) -> None:
    done = lightwork("jobs", "cancel", made.succeeded(), "--quiet")

    assert (done.exit_code, done.stdout) == (1, "")
    assert "cannot be cancelled any more" in done.stderr


def test_wait_for_what_has_succeeded_is_done_at_once(lightwork: Invoke, made: Made) -> None:
    one, two = made.succeeded(), made.succeeded()

    done = lightwork("jobs", "wait", one, two)

    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == f"{one}\tsucceeded\n{two}\tsucceeded\n"


def test_wait_fails_if_one_job_failed(lightwork: Invoke, made: Made) -> None:
    good, bad = made.succeeded(), made.failed()

    done = lightwork("jobs", "wait", bad, good, "--json")

    assert done.exit_code == 1
    assert [found["state"] for found in objects_of(done.stdout)] == ["failed", "succeeded"]


def test_wait_gives_up_in_time(lightwork: Invoke, made: Made) -> None:
    done = lightwork("jobs", "wait", made.ready(), "--timeout", "10ms")

    assert done.exit_code == 1
    assert "1 of 1 jobs have not ended in time" in done.stderr


@pytest.mark.process
def test_wait_sees_an_end_that_another_program_records(
    folder: Path, made: Made, store: Store
) -> None:
    job_id = made.ready(7)

    with start("jobs", "wait", str(job_id), "--timeout", "50s", folder=folder) as waiting:
        run("worker", "-m", "script", "--threads", "1", "--burst", "--quiet", folder=folder)
        output = waiting.communicate(timeout=60)[0]

    assert output == f"{job_id}\tsucceeded\n"


def test_show_tells_what_a_job_waits_for_and_what_waits_for_it(
    lightwork: Invoke, store: Store
) -> None:
    parent = new_job(task="shop:load")
    child = dataclasses.replace(new_job(task="shop:total"), after=(parent.id,))
    store.submit([parent, child])

    told = lightwork("jobs", "show", child.id).stdout.splitlines()
    other = lightwork("jobs", "show", parent.id).stdout.splitlines()
    document = json.loads(lightwork("jobs", "show", child.id, "--json").stdout)

    assert f"after      {parent.id} shop:load ready" in told
    assert f"before     {child.id} shop:total blocked" in other
    assert document["parents"] == [{"id": str(parent.id), "task": "shop:load", "state": "ready"}]
