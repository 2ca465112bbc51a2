"""Passwords: of a URL that holds one nothing is seen, in no output and in no list of processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from cli.conftest import Invoke
from cli.jobs_made import Made
from cli.runs import start
from lightwork.store.sqlstore import SqlStore
from store import servers
from waiting import wait_until

SECRET = "hush-hush"


@pytest.fixture
def url() -> Iterator[str]:
    with servers.new_database("postgresql") as made:
        # A server that trusts everybody asks for no password.
        yield make_url(made).set(password=SECRET).render_as_string(hide_password=False)


def descendants(pid: int) -> set[int]:
    found, left = {pid}, [pid]
    while left:
        for task in Path(f"/proc/{left.pop()}/task").glob("*/children"):
            children = {int(word) for word in task.read_text().split()} - found
            found |= children
            left += children
    return found


@pytest.mark.process
def test_no_list_of_processes_shows_the_password(folder: Path, url: str) -> None:
    with SqlStore(url) as store:
        Made(store).ready(str(folder), task="script:hold")
    words = ("worker", "-m", "script", "-j", "2", "--json")
    with start(*words, folder=folder, environment={"LIGHTWORK_URL": url}) as worker:
        wait_until((folder / "begun").exists, "a child runs")

        processes = descendants(worker.pid)
        places = [Path(f"/proc/{pid}") / name for pid in processes for name in ("cmdline", "comm")]
        shown = [place.read_bytes() for place in places]
        (folder / "end").touch()
        worker.terminate()
        output, errors = worker.communicate(timeout=90)

    assert len(processes) >= 3
    assert not [text for text in shown if SECRET.encode() in text]
    assert SECRET not in output + errors


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("status", "--json"),
        ("jobs",),
        ("workers",),
        ("queues",),
        ("doctor", "--json"),
        ("db", "init"),
        ("db", "check"),
        ("db", "stats", "--json"),
        ("db", "backup", "copy"),
        ("db", "prune"),
        ("jobs", "show", "1"),
        ("submit", "script:square", "1", "--wait", "--no-check", "--json"),
    ],
    ids=" ".join,
)
def test_no_verb_shows_the_password(
    lightwork: Invoke, monkeypatch: pytest.MonkeyPatch, url: str, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("LIGHTWORK_URL", url)
    lightwork("db", "init")
    if "--wait" in words:
        # What cannot be reached is said by its URL too.
        monkeypatch.setenv("LIGHTWORK_URL", f"postgresql://ada:{SECRET}@127.0.0.1:1/work")

    done = lightwork(*words)

    assert SECRET not in done.output


@pytest.mark.parametrize(
    "words",
    [
        ("jobs", "{}"),
        ("jobs", "show", "{}"),
        ("jobs", "show", "1", "sqlite://u:{0}@/a", "sqlite://u:{0}@/b"),
        ("db", "copy", "{}", "sqlite:///copy.db"),
        ("status", "{}"),
        ("workers", "drain", "{}"),
        ("queues", "pause", "{}"),
        ("schedules", "pause", "{}"),
    ],
    ids=" ".join,
)
def test_what_is_nearly_a_url_is_repeated_without_its_password(
    lightwork: Invoke, words: tuple[str, ...]
) -> None:
    nearly = f"postgresql+psycopg:/ada:{SECRET}@host/db"
    typed = [word.format(SECRET if "u:{0}" in word else nearly) for word in words]

    done = lightwork(*typed)

    assert done.exit_code != 0
    assert SECRET not in done.output


@pytest.mark.parametrize(
    "password", ["{0}@{0}", "{0}@{0}/{0}", "{0}/{0}@", "{0}?{0}@{0}", "a@b?{0}@c"]
)
@pytest.mark.parametrize("scheme", ["postgresql+psycopg", "mysql+pymysql"])
def test_nothing_of_a_password_that_holds_what_a_url_is_made_of_is_shown(
    lightwork: Invoke, scheme: str, password: str
) -> None:
    done = lightwork("status", f"{scheme}://ada:{password.format(SECRET)}@host/db")

    assert done.exit_code == 2
    assert SECRET not in done.output
    assert "%40" in done.output


def test_options_with_a_password_are_not_shown(lightwork: Invoke) -> None:
    done = lightwork("status", f"postgresql://u:p@h:port/db?password={SECRET}@{SECRET}")

    assert done.exit_code == 2
    assert SECRET not in done.output
