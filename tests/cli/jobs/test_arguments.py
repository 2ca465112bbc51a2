"""What jobs are called with is shown, and never loaded from a pickle."""

import json
from typing import Any

import pytest

from cli.conftest import Invoke
from cli.jobs_made import Made
from lightwork.cli.jobs.arguments import LISTED
from lightwork.codec import Codec, Subject
from lightwork.durable.ids import new_job_id
from lightwork.model import NewJob, Policy
from lightwork.store.contract import Store

KEY = b"0123456789abcdef"


class Trap:
    """Tells when it is loaded."""

    def __reduce__(self) -> Any:
        return (pytest.fail, ("a look at a job has loaded its pickle",))


def keep_pickled(store: Store) -> None:
    job_id = new_job_id()
    payload = Codec(authkey=KEY).encode_call(Subject(job_id, "script:square"), (Trap(),), {})
    store.submit([NewJob(id=job_id, task="script:square", payload=payload, policy=Policy())])


def listed(lightwork: Invoke) -> str:
    (line,) = lightwork("jobs").stdout.splitlines()[1:]
    arguments: str = line.split("\t")[7]
    return arguments


def test_the_list_shows_arguments_as_a_call_has_them(lightwork: Invoke, made: Made) -> None:
    lightwork("submit", "elsewhere:f", 20, "x y", "--kw", "mark=?")

    assert listed(lightwork) == "20, 'x y', mark='?'"


def test_the_list_cuts_long_arguments(lightwork: Invoke, made: Made) -> None:
    made.ready("x" * 1000)

    assert listed(lightwork) == "'" + "x" * 198 + "…"


def test_the_list_does_not_read_large_arguments(lightwork: Invoke, made: Made) -> None:
    made.ready("x" * LISTED)

    assert listed(lightwork) == f"{LISTED + 7} bytes"


def test_show_tells_arguments_whole(lightwork: Invoke, made: Made) -> None:
    made.ready("x" * 10_000, [1, 2])

    lines = lightwork("jobs", "show", 1).stdout.splitlines()

    assert f"arguments  '{'x' * 10_000}', [1, 2]" in lines


def test_show_tells_how_large_very_large_arguments_are(lightwork: Invoke, made: Made) -> None:
    made.ready("x" * 100_000)

    lines = lightwork("jobs", "show", 1).stdout.splitlines()

    assert "arguments  100009 bytes" in lines


def test_show_json_has_arguments_as_values(lightwork: Invoke, store: Store) -> None:
    lightwork("submit", "elsewhere:f", 20, "[1]", "--kw", "mark=?")

    found = json.loads(lightwork("jobs", "show", 1, "--json").stdout)

    assert (found["args"], found["kwargs"]) == ([20, [1]], {"mark": "?"})


@pytest.mark.parametrize("words", [("jobs",), ("jobs", "show", 1), ("jobs", "show", 1, "--json")])
def test_a_pickle_is_named_and_not_loaded(
    lightwork: Invoke, store: Store, monkeypatch: pytest.MonkeyPatch, words: tuple[object, ...]
) -> None:
    monkeypatch.setenv("LIGHTWORK_AUTHKEY", KEY.decode())
    keep_pickled(store)

    done = lightwork(*words)

    assert done.exit_code == 0
    assert "pickled, " in done.stdout


def test_damaged_arguments_do_not_end_the_list(lightwork: Invoke, store: Store) -> None:
    job = NewJob(id=new_job_id(), task="a:b", payload=b"\x01\xc1\x1b[2J", policy=Policy())
    store.submit([job])

    assert listed(lightwork).startswith("6 bytes, not readable: ")


def test_arguments_cannot_steer_a_terminal(lightwork: Invoke, made: Made) -> None:
    made.ready("\x1b[2J\n\u202e")

    assert listed(lightwork) == r"'\x1b[2J\n\u202e'"
