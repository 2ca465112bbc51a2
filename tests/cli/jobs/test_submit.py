"""`lightwork submit`: what is kept, and what --wait prints."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from cli.conftest import Invoke
from cli.jobs_made import Made
from cli.runs import run, start
from lightwork.codec import Codec, Subject
from lightwork.model import Policy, State
from lightwork.store.contract import Store

WORKER = ("worker", "-m", "script", "--threads", "1", "--quiet")

ARGUMENTS = [
    ("3", 3),
    ("-0.5", -0.5),
    ('"3"', "3"),
    ("true", True),
    ("null", None),
    ('{"a": [1, "x"]}', {"a": [1, "x"]}),
    ("ada", "ada"),
    ("", ""),
    ("[1,", "[1,"),
    ("NaN", "NaN"),
    ("Infinity", "Infinity"),
    ("007", "007"),
    ("https://example.com/", "https://example.com/"),
    ("12345678901234567890123", 12345678901234567890123),
    ("über", "über"),
]


def call_of(store: Store, job_id: UUID) -> tuple[tuple[object, ...], dict[str, object]]:
    (attempt,) = store.claim(Made(store).worker(), lanes=store.lanes(["default"]), limit=1)
    assert attempt.job_id == job_id
    return Codec().decode_call(Subject(job_id, attempt.task), attempt.payload)


@pytest.mark.parametrize(("word", "value"), ARGUMENTS)
def test_an_argument_is_json_if_it_reads_as_json(
    lightwork: Invoke, store: Store, word: str, value: object
) -> None:
    job_id = UUID(lightwork("submit", "script:square", "--", word).stdout.strip())

    args, kwargs = call_of(store, job_id)

    assert (args, kwargs) == ((value,), {})
    assert type(args[0]) is type(value)


def test_keywords_are_read_like_arguments(lightwork: Invoke, store: Store) -> None:
    done = lightwork("submit", "script:greet", "--kw", "name=ada", "--kw", "mark=[1]")

    assert call_of(store, UUID(done.stdout.strip())) == ((), {"name": "ada", "mark": [1]})


def test_the_options_become_the_policy_of_the_job(lightwork: Invoke, store: Store) -> None:
    when = ["--delay", "2m", "--retries", "3", "--timeout", "1.5s"]

    done = lightwork("submit", "script:square", "3", "--queue", "mail", "--priority", "5", *when)

    view = store.job(UUID(done.stdout.strip()))
    assert view is not None
    assert view.state is State.SCHEDULED
    assert view.policy == Policy(queue="mail", priority=5, delay=120.0, retries=3, timeout=1.5)


def test_a_job_may_wait_for_an_instant_and_expire(lightwork: Invoke, store: Store) -> None:
    done = lightwork("submit", "script:square", "3", "--at", "2100-01-01T00:00Z", "--expires", "1h")

    view = store.job(UUID(done.stdout.strip()))
    assert view is not None
    assert view.due_at == datetime(2100, 1, 1, tzinfo=UTC)
    assert view.expires_at == datetime(2100, 1, 1, 1, tzinfo=UTC)


def test_what_is_no_instant_is_refused(lightwork: Invoke) -> None:
    done = lightwork("submit", "script:square", "3", "--at", "tomorrow")

    assert (done.exit_code, "is no instant" in done.stderr) == (2, True)


DECLARED = """
import lightwork as lw

@lw.task(queue="mail", priority=7, retries=2, timeout=0.5, max_crashes=9)
def send(): pass
"""


def test_a_job_has_what_its_task_declares_and_the_options_win(
    lightwork: Invoke, store: Store, folder: Path
) -> None:
    (folder / "declared.py").write_text(DECLARED)
    words: tuple[list[str], ...] = ([], ["--retries", "0", "--queue", "late"], ["--no-check"])

    policies = []
    for more in words:
        done = lightwork("submit", "declared:send", *more)
        view = store.job(UUID(done.stdout.strip()))
        assert view is not None
        assert done.stderr == ""
        policies.append(view.policy)

    assert policies == [
        Policy(queue="mail", priority=7, retries=2, timeout=0.5, max_crashes=9),
        Policy(queue="late", priority=7, retries=0, timeout=0.5, max_crashes=9),
        Policy(),
    ]


def test_a_job_has_the_unique_key_and_the_limits_of_its_task(
    lightwork: Invoke, store: Store, folder: Path
) -> None:
    (folder / "bounded.py").write_text(
        "import lightwork as lw\n\n@lw.task(unique=True, limit=lw.Limit('one', running=1))\n"
        "def send(n): pass\n"
    )

    first, again, other = (lightwork("submit", "bounded:send", n) for n in (1, 1, 2))

    assert first.stdout == again.stdout != other.stdout
    assert f"job {first.stdout.strip()} of the same unique key stands for this" in again.stderr
    assert len(store.jobs()) == 2
    worker, lanes = Made(store).worker(), store.lanes(["default"])
    assert len(store.claim(worker, lanes=lanes, limit=2)) == 1


UNIQUE = """
import lightwork as lw

@lw.task(unique=lw.Unique("user:{user}", until="begin"))
def send(user): pass

@lw.task
def plain(user): pass
"""


def test_a_job_is_submitted_after_others(lightwork: Invoke, store: Store, made: Made) -> None:
    first, second = made.ready(), made.ready()

    done = lightwork("submit", "script:square", "3", "--after", "1", "--after", second)

    view, relatives = store.job(job_id := UUID(done.stdout.strip())), store.relatives(job_id)
    assert view is not None
    assert view.state is State.BLOCKED
    assert {one.id for one in relatives.parents} == {first, second}


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("7", "no job 7 in sqlite:///"),
        (str(UUID(int=9)), f"no job {UUID(int=9)} in sqlite:///"),
        ("yesterday", "a job is named by its number or its UUID"),
    ],
)
def test_what_is_to_run_after_an_unknown_job_is_refused(
    lightwork: Invoke, store: Store, word: str, told: str
) -> None:
    done = lightwork("submit", "script:square", "3", "--after", word)

    assert (done.exit_code, done.stdout, store.jobs()) == (2, "", [])
    assert told in done.stderr


def test_a_store_is_not_made_for_a_job_after_another(lightwork: Invoke, folder: Path) -> None:
    done = lightwork("submit", "sqlite:///none.db", "script:square", "3", "--after", "1")

    assert done.exit_code != 0
    assert not (folder / "none.db").exists()


@pytest.mark.parametrize("on_conflict", ["", "skip", "replace"])
@pytest.mark.parametrize("name", ["far.away:send", "unique_here:plain", "unique_here:send"])
def test_a_key_holds_one_job(
    lightwork: Invoke, store: Store, folder: Path, name: str, on_conflict: str
) -> None:
    (folder / "unique_here.py").write_text(UNIQUE)
    more = ("--on-conflict", on_conflict) if on_conflict else ()

    first, again = (lightwork("submit", name, n, "--unique", "k", *more) for n in (1, 2))

    is_replaced = on_conflict == "replace"
    states = [State.READY, State.CANCELLED] if is_replaced else [State.READY]
    assert [view.state for view in store.jobs()] == states
    assert (first.stdout != again.stdout) == is_replaced


@pytest.mark.parametrize("name", ["far.away:send", "unique_here:plain", "unique_here:send"])
def test_a_key_may_refuse_a_second_job(
    lightwork: Invoke, store: Store, folder: Path, name: str
) -> None:
    (folder / "unique_here.py").write_text(UNIQUE)
    words = ("submit", name, "1", "--unique", "k", "--on-conflict", "raise")
    first = lightwork(*words).stdout.strip()

    again = lightwork(*words)

    assert (again.exit_code, again.stdout, len(store.jobs())) == (1, "", 1)
    assert f"job {first}, which is ready" in again.stderr


def test_what_a_task_declares_of_its_key_stays_where_nothing_else_is_said(
    lightwork: Invoke, store: Store, folder: Path
) -> None:
    (folder / "unique_here.py").write_text(UNIQUE)
    untils = []
    for more in ((), ("--unique", "k"), ("--on-conflict", "replace")):
        job_id = UUID(lightwork("submit", "unique_here:send", "1", *more).stdout.strip())
        view = store.job(job_id)
        assert view is not None
        assert view.unique is not None
        untils.append(view.unique.until)

    assert untils == ["begin"] * 3
    assert [view.state for view in store.jobs()] == [State.READY, State.READY, State.CANCELLED]


def test_a_key_is_filled_with_arguments_as_a_program_fills_it(
    lightwork: Invoke, store: Store, folder: Path
) -> None:
    (folder / "unique_here.py").write_text(UNIQUE)
    key = ("--unique", "user:{user}")

    declared = lightwork("submit", "unique_here:send", "ada")
    named = lightwork("submit", "unique_here:send", "--kw", "user=ada", "--no-check", *key)
    other = lightwork("submit", "unique_here:send", "bob", *key)

    assert named.stdout == declared.stdout != other.stdout
    assert len(store.jobs()) == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("far.away:send", "1", "--unique", "user:{user}"), "say --kw user=..."),
        (("far.away:send", "1", "--unique", ""), "--unique is a key"),
        (("far.away:send", "1", "--on-conflict", "raise"), "say --unique KEY"),
        (("unique_here:plain", "1", "--on-conflict", "raise"), "say --unique KEY"),
        (("unique_here:send", "1", "--unique", "{nobody}"), "cannot be filled"),
        (("unique_here:send", "1", "--unique", "k", "--on-conflict", "fail"), "'replace'"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(
    lightwork: Invoke, store: Store, folder: Path, words: tuple[str, ...], told: str
) -> None:
    (folder / "unique_here.py").write_text(UNIQUE)

    done = lightwork("submit", *words)

    assert (done.exit_code, done.stdout, store.jobs()) == (2, "", [])
    assert told in done.stderr


@pytest.mark.parametrize("name", ["far.away:compute", "broken:compute", "leaving:compute"])
def test_what_cannot_be_imported_here_is_submitted_with_a_note(
    lightwork: Invoke, store: Store, folder: Path, name: str
) -> None:
    (folder / "broken.py").write_text("def f(:\n")
    (folder / "leaving.py").write_text("raise SystemExit(0)\n")

    done = lightwork("submit", name, "1")

    assert done.exit_code == 0
    assert store.job(UUID(done.stdout.strip())) is not None
    assert f"lightwork: the module '{name.partition(':')[0]}' cannot be imported" in done.stderr
    assert "submitted all the same, for workers that know it" in done.stderr
    assert "under the options of this command alone" in done.stderr


def test_a_task_of_a_main_program_is_known_to_that_program_alone(
    lightwork: Invoke, store: Store
) -> None:
    done = lightwork("submit", "__main__:compute", "1")

    assert (done.exit_code, done.stderr) == (0, "")


def test_a_name_may_be_submitted_unchecked(lightwork: Invoke, store: Store) -> None:
    done = lightwork("submit", "script:newer", "1", "--no-check")

    assert (done.exit_code, done.stderr) == (0, "")


def test_what_a_module_prints_is_not_the_id(lightwork: Invoke, folder: Path, store: Store) -> None:
    (folder / "noisy_module.py").write_text("print('noise')\ndef f() -> None: ...\n")

    done = lightwork("submit", "noisy_module:f")

    assert store.job(UUID(done.stdout.strip())) is not None
    assert done.stderr == "noise\n"


def test_only_the_first_word_is_the_store(lightwork: Invoke, folder: Path) -> None:
    lightwork("submit", "sqlite:///other.db", "script:greet", "sqlite:///not.db")

    assert (folder / "other.db").exists()
    assert not (folder / "not.db").exists()


def test_json_holds_the_id(lightwork: Invoke, store: Store) -> None:
    done = lightwork("submit", "script:square", "3", "--json")

    job_id = UUID(json.loads(done.stdout)["id"])
    assert store.states([job_id]) == {job_id: State.READY}


def test_it_says_when_nobody_will_run_it(folder: Path, store: Store) -> None:
    with start("submit", "script:square", "3", "--wait", folder=folder) as waiting:
        assert waiting.stderr is not None
        said = waiting.stderr.readline() + waiting.stderr.readline()
        waiting.terminate()

    url = f"sqlite:///{folder}/lightwork.db"
    assert f"no worker is alive; start one: lightwork worker {url} -m script\n" in said


@pytest.mark.process
@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (["script:square", "7"], "49\n"),
        (["script:greet", "a\x1bda"], "a\\x1bda!\n"),
        (["script:square", "7", "--json"], '"result":49}\n'),
    ],
    ids=["json", "text", "--json"],
)
def test_wait_prints_the_result(folder: Path, store: Store, words: list[str], printed: str) -> None:
    with start(*WORKER, folder=folder) as worker:
        done = run("submit", *words, "--wait", folder=folder)
        worker.terminate()

    assert done.returncode == 0
    assert done.stdout.endswith(printed)


@pytest.mark.process
def test_wait_for_a_job_that_fails_is_a_failure(folder: Path, store: Store) -> None:
    with start(*WORKER, folder=folder) as worker:
        done = run("submit", "script:fail", "oh no", "--wait", "--json", folder=folder)
        worker.terminate()

    assert done.returncode == 1
    assert json.loads(done.stdout)["error"] == {"type": "ValueError", "text": "oh no"}
    assert "failed in attempt 1: ValueError: oh no" in done.stderr
    # The job's own traceback, not ours.
    assert 'script.py", line' in done.stderr
    assert "lightwork/cli" not in done.stderr
