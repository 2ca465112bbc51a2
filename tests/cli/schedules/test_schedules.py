"""`lightwork schedules`: what a person declares, sees and does."""

import json
import uuid
from typing import Any

import pytest

from cli.conftest import Invoke
from lightwork.model import NewSchedule, State, UniqueKey
from lightwork.store.contract import Store
from lightwork.store.views import ScheduleView
from store.steps import execute


def add(lightwork: Invoke, *words: str) -> Any:
    return lightwork("schedules", "add", *words)


def kept(store: Store, name: str = "nightly") -> ScheduleView:
    view = store.schedule(name)
    assert view is not None
    return view


def test_a_schedule_is_added_with_arguments(lightwork: Invoke, store: Store) -> None:
    done = add(lightwork, "nightly", "0 3 * * *", "script:square", "7", "--tz", "Europe/Berlin")

    view = kept(store)
    assert (done.exit_code, view.spec, view.tz) == (0, "0 3 * * *", "Europe/Berlin")
    assert f"nightly is due next {view.next_at:%Y-%m-%d %H:%M:%S} UTC" in done.stdout
    store.run_schedule("nightly", job_id := uuid.uuid4())
    shown = json.loads(lightwork("jobs", "show", job_id, "--json").stdout)
    assert (shown["task"], shown["arguments"], shown["state"]) == ("script:square", "7", "ready")


def test_options_say_how_its_jobs_run(lightwork: Invoke, store: Store) -> None:
    add(
        lightwork,
        *("nightly", "every 90s", "script:square", "--kw", "n=3"),
        *("--catch-up", "all", "--queue", "slow", "--priority", "4"),
    )

    view = kept(store)
    assert (view.spec, view.catch_up, view.policy.queue, view.policy.priority) == (
        "every 1m30s",
        "all",
        "slow",
        4,
    )


def test_a_name_that_is_taken_is_refused(lightwork: Invoke, store: Store) -> None:
    add(lightwork, "nightly", "@daily", "script:square", "1")

    done = add(lightwork, "nightly", "@hourly", "script:square", "1")

    assert (done.exit_code, kept(store).spec) == (2, "@daily")
    assert "there is a schedule 'nightly' already, of script:square and '@daily'" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nightly", "@daily"], "say its name, when it is due and what is called"),
        (["a:b", "@daily", "script:square"], "the name of a schedule has 1 to 100 letters"),
        (["x", "* * *", "script:square"], 'a schedule is five fields of cron such as "0 3 * * *"'),
        (["x", "61 * * * *", "script:square"], "its minute cannot be read"),
        (["x", "0 3 * * *", "script:square", "--tz", "Berlin"], "not the name of a time zone"),
        (["x", "every 1h", "script:square", "--tz", "Asia/Tokyo"], "same in every time zone"),
        (["x", "@daily", "script"], "a task is named MODULE:FUNCTION"),
        (["x", "@daily", "script:sqare"], "did you mean script:square?"),
        (["x", "@daily", "script:square", "1", "--queue", ""], "queue must be a name"),
        (["x", "@daily", "script:square", "--catch-up", "some"], "'some' is not one of"),
    ],
)
def test_wrong_use_is_told_and_changes_nothing(
    lightwork: Invoke, store: Store, words: list[str], said: str
) -> None:
    done = add(lightwork, *words)

    assert (done.exit_code, store.schedules()) == (2, [])
    assert said in done.stderr


def test_the_list_says_when_each_is_due(lightwork: Invoke, store: Store) -> None:
    add(lightwork, "nightly", "every 7d", "script:square", "1")
    add(lightwork, "paused", "@daily", "script:square", "1")
    lightwork("schedules", "pause", "paused")

    lines = [line.split("\t") for line in lightwork("schedules").stdout.splitlines()]

    assert [line[:4] for line in lines] == [
        ["NAME", "STATE", "SPEC", "TZ"],
        ["nightly", "active", "every 7d", "UTC"],
        ["paused", "paused", "@daily", "UTC"],
    ]
    assert lines[1][4] in {"in 7 d 00 h", "in 6 d 23 h"}
    assert lines[1][7] == "no worker is alive"
    assert lightwork("schedules", "--quiet").stdout == "nightly\npaused\n"


def test_the_list_is_json_on_request(lightwork: Invoke, store: Store) -> None:
    add(lightwork, "nightly", "0 3 * * *", "script:square", "1", "--tz", "Europe/Berlin")

    (found,) = map(json.loads, lightwork("schedules", "--json").stdout.splitlines())

    assert (found["name"], found["state"], found["origin"]) == ("nightly", "active", "user")
    assert len(found["next"]) == 5
    assert found["next"][0] == found["next_at"].replace(".000000", "")


def test_what_cannot_be_read_here_is_listed_with_the_reason(
    lightwork: Invoke, store: Store
) -> None:
    store.declare_schedules([NewSchedule(name="x", task="m:f", spec="@daily", payload=b"\x01")])

    execute(store, "UPDATE schedule SET tz = 'Nowhere/City'")

    (_, line) = lightwork("schedules").stdout.splitlines()
    assert line.split("\t")[1] == "broken"
    assert "'Nowhere/City' is not the name of a time zone" in line
    assert json.loads(lightwork("schedules", "--json").stdout)["next"] == []
    assert lightwork("schedules", "next", "x").exit_code == 2


def test_the_next_times_are_those_of_its_clock(lightwork: Invoke, store: Store) -> None:
    add(lightwork, "noon", "0 12 1 1,7 *", "script:square", "1", "--tz", "Europe/Berlin")

    lines = lightwork("schedules", "next", "noon", "--count", "2").stdout.splitlines()
    times = [
        json.loads(line)
        for line in lightwork("schedules", "next", "noon", "--json").stdout.splitlines()
    ]

    assert len(times) == 5
    # Summer and winter: noon there is at ten or eleven.
    assert {at["due_at"][11:16] for at in times} == {"10:00", "11:00"}
    assert {" 12:00:00 CET " in line or " 12:00:00 CEST " in line for line in lines} == {True}


@pytest.mark.parametrize("url_first", [True, False])
def test_a_schedule_is_paused_and_goes_on(lightwork: Invoke, store: Store, url_first: bool) -> None:
    add(lightwork, "nightly", "@daily", "script:square", "1")
    words = [store.url, "pause", "nightly"] if url_first else ["pause", "nightly", store.url]

    done = lightwork("schedules", *words)

    assert (done.stdout, kept(store).paused_at is None) == ("nightly is paused\n", False)
    shown = lightwork("schedules", "next", "nightly")
    assert len(shown.stdout.splitlines()) == 5
    assert "is paused: it is due only after `resume`" in shown.stderr
    assert json.loads(lightwork("schedules", "resume", "nightly", "--json").stdout) == {
        "schedule": "nightly",
        "state": "active",
    }
    assert kept(store).paused_at is None


def test_a_schedule_is_run_now(lightwork: Invoke, store: Store) -> None:
    add(lightwork, "nightly", "0 0 1 1 *", "script:square", "9")
    before = kept(store).next_at

    job_id = json.loads(lightwork("schedules", "run", "nightly", "--json").stdout)["job"]

    (job,) = store.jobs()
    assert (str(job.id), job.state, kept(store).next_at) == (job_id, State.READY, before)


def test_who_runs_a_schedule_whose_key_is_held_is_told_by_which_job(
    lightwork: Invoke, store: Store
) -> None:
    key = UniqueKey(b"k" * 16, "end", 0.0, "skip")
    new = NewSchedule(
        name="nightly", task="m:f", spec="@daily", payload=b"\x01", unique=key, is_code=True
    )
    store.declare_schedules([new])
    first = lightwork("schedules", "run", "nightly").stdout

    again = lightwork("schedules", "run", "nightly")
    told = json.loads(lightwork("schedules", "run", "nightly", "--json").stdout)

    assert (again.exit_code, again.stdout, len(store.jobs())) == (0, first, 1)
    assert again.stderr == (
        f"lightwork: no job of nightly was made: job {first.strip()}, which is ready, holds its "
        "unique key\n"
    )
    assert told == {"schedule": "nightly", "job": first.strip(), "is_new": False}


def test_schedules_are_removed(lightwork: Invoke, store: Store) -> None:
    add(lightwork, "a", "@daily", "script:square", "1")
    add(lightwork, "b", "@daily", "script:square", "1")

    assert lightwork("schedules", "remove", "a", "b").stdout == "a is removed\nb is removed\n"
    assert store.schedules() == []


def test_who_removes_what_is_declared_in_code_is_told(lightwork: Invoke, store: Store) -> None:
    name = "script:report@/home/ada/script.py"
    store.declare_schedules(
        [NewSchedule(name=name, task=name, spec="@daily", payload=b"\x01", is_code=True)]
    )

    done = lightwork("schedules", "remove", "script:report")

    assert (done.stdout, store.schedules()) == ("script:report is removed\n", [])
    assert "the next worker that starts with its module brings it back" in done.stderr


def test_a_name_that_is_not_there_changes_nothing(lightwork: Invoke, store: Store) -> None:
    add(lightwork, "nightly", "@daily", "script:square", "1")

    done = lightwork("schedules", "remove", "nightly", "nihgtly")

    assert (done.exit_code, len(store.schedules())) == (2, 1)
    assert "has no schedule 'nihgtly'; did you mean 'nightly'?" in done.stderr
    assert "name at least one schedule" in lightwork("schedules", "run").stderr


def test_a_name_of_several_scripts_must_be_whole(lightwork: Invoke, store: Store) -> None:
    names = [f"script:report@/home/{who}/script.py" for who in ("ada", "bob")]
    store.declare_schedules(
        [
            NewSchedule(name=name, task=name, spec="@daily", payload=b"\x01", is_code=True)
            for name in names
        ]
    )

    assert (
        "several schedules are called 'script:report'"
        in lightwork("schedules", "pause", "script:report").stderr
    )
    assert lightwork("schedules", "pause", names[0]).exit_code == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "tz = 'Nowhere/City'",
            "schedule nightly cannot be read here: 'Nowhere/City' is not the name",
        ),
        ("next_at = 60000", "schedule nightly is due since 1970-01-01 00:01:00 UTC and no worker"),
    ],
)
def test_status_tells_of_schedules_that_make_no_jobs(
    lightwork: Invoke, store: Store, change: str, said: str
) -> None:
    add(lightwork, "nightly", "@daily", "script:square", "1")
    assert lightwork("status").exit_code == 0

    execute(store, f"UPDATE schedule SET {change}")

    done = lightwork("status")
    assert done.exit_code == 1
    assert said in done.stdout
    lightwork("schedules", "pause", "nightly")
    assert lightwork("status").exit_code == 0
