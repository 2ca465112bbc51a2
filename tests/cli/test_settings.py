"""Which setting wins: flag, environment, pyproject.toml, default."""

from pathlib import Path

import pytest

from cli.conftest import Invoke
from cli.jobs_made import Made
from lightwork.store.sqlstore import open_store


def write_settings(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(text)


def store_used(lightwork: Invoke, *words: str) -> str:
    done = lightwork("db", "init", *words)
    assert done.exit_code == 0, done.stderr
    return str(done.stdout.partition(": ")[0])


def test_the_url_of_the_file_comes_before_the_default(lightwork: Invoke, folder: Path) -> None:
    write_settings(folder, '[tool.lightwork]\nurl = "sqlite:///file.db"\n')

    assert store_used(lightwork) == "sqlite:///file.db"


def test_the_url_of_the_environment_comes_before_the_file(
    lightwork: Invoke, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_settings(folder, '[tool.lightwork]\nurl = "sqlite:///file.db"\n')
    monkeypatch.setenv("LIGHTWORK_URL", "sqlite:///environment.db")

    assert store_used(lightwork) == "sqlite:///environment.db"


def test_the_url_that_is_typed_comes_first(
    lightwork: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTWORK_URL", "sqlite:///environment.db")

    assert store_used(lightwork, "sqlite:///typed.db") == "sqlite:///typed.db"


def test_options_obey_the_same_order(
    lightwork: Invoke, folder: Path, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        made.ready()
    write_settings(folder, "[tool.lightwork.jobs.list]\nlimit = 3\n")

    by_file = lightwork("jobs", "--quiet").stdout.split()
    monkeypatch.setenv("LIGHTWORK_JOBS_LIST_LIMIT", "2")
    by_environment = lightwork("jobs", "--quiet").stdout.split()
    by_flag = lightwork("jobs", "--quiet", "--limit", "1").stdout.split()

    assert [len(by_file), len(by_environment), len(by_flag)] == [3, 2, 1]


def test_text_stands_for_a_list_of_one(lightwork: Invoke, folder: Path) -> None:
    write_settings(folder, '[tool.lightwork.worker]\nmodule = "nope"\n')

    done = lightwork("worker")

    assert "the module 'nope' cannot be imported" in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tool.lightwork]\nulr = 'x'\n", "[tool.lightwork] of pyproject.toml has 'ulr'"),
        ("[tool.lightwork]\nurl = 3\n", "url of [tool.lightwork] in pyproject.toml must be text"),
        ("[tool.lightwork.db.init]\nburst = true\n", "[tool.lightwork.db.init] of pyproject.toml"),
        ("[tool]\nlightwork = 3\n", "tool.lightwork of pyproject.toml must be a table"),
        ("[tool\n", "pyproject.toml cannot be read"),
    ],
)
def test_settings_without_meaning_are_refused(
    lightwork: Invoke, folder: Path, text: str, words: str
) -> None:
    write_settings(folder, text)

    done = lightwork("db", "init")

    assert done.exit_code == 2
    assert words in " ".join(done.stderr.split())
    assert not (folder / "lightwork.db").exists()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("LIGHTWORK_URL", "bad", "lightwork: LIGHTWORK_URL=bad is not the URL of a store"),
        ("LIGHTWORK_URL", "ada:secret@host", "lightwork: LIGHTWORK_URL=***@host is not the URL"),
        ("LIGHTWORK_URL", "my://s", "USER@HOST/DATABASE (the URL is that of LIG"),
        ("LIGHTWORK_URL", "sqlite:////nowhere/x.db", "(the URL is that of LIGHTWORK_URL)"),
        ("LIGHTWORK_JOBS_LIST_LIMIT", "x", "lightwork: LIGHTWORK_JOBS_LIST_LIMIT=x: 'x' is not"),
        ("LIGHTWORK_JOBS_LIST_STATE", "done", "LIGHTWORK_JOBS_LIST_STATE=done: 'done' is not one"),
    ],
)  # fmt: skip
def test_a_wrong_variable_is_named(
    lightwork: Invoke, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)

    done = lightwork("jobs")

    assert done.exit_code in {2, 3}
    assert words in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tool.lightwork]\nurl = 'bad'\n",
         "'bad', the url of [tool.lightwork] in pyproject.toml, is not the URL of a store"),
        ("[tool.lightwork.jobs.list]\nlimit = 'x'\n",
         "limit of [tool.lightwork.jobs.list] in pyproject.toml: 'x' is not"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(lightwork: Invoke, folder: Path, text: str, words: str) -> None:
    write_settings(folder, text)

    done = lightwork("jobs")

    assert done.exit_code == 2
    assert words in done.stderr


def test_settings_of_other_tools_are_not_ours(lightwork: Invoke, folder: Path) -> None:
    write_settings(folder, "[tool.ruff]\nurl = 3\n")

    assert store_used(lightwork) == "sqlite:///lightwork.db"


def test_a_password_is_never_shown(lightwork: Invoke, folder: Path) -> None:
    done = lightwork("jobs", "oracle://ada:secret@host/db")

    assert done.exit_code == 2
    assert "secret" not in done.stdout + done.stderr


def test_the_default_store_lies_in_this_folder(lightwork: Invoke, folder: Path) -> None:
    lightwork("db", "init")

    open_store(f"sqlite:///{folder}/lightwork.db", create=False).close()
