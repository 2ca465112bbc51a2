"""`lightwork doctor`: a line for each look, and what to do."""

import json
import os
from pathlib import Path

import pytest
from sqlalchemy import make_url

from cli.conftest import Invoke
from cli.jobs_made import Made
from lightwork.store.sqlite import engine
from store import servers


def looks(lightwork: Invoke, *words: str) -> dict[str, dict[str, str]]:
    lines = lightwork("doctor", *words, "--json").stdout.splitlines()
    return {found["what"]: found for found in map(json.loads, lines)}


def test_a_sound_store_fails_nothing(lightwork: Invoke, made: Made, folder: Path) -> None:
    made.ready()
    (folder / "lightwork.db").chmod(0o600)

    done = lightwork("doctor")
    found = looks(lightwork)

    assert done.exit_code == 0
    assert {found[what]["state"] for what in ("database", "schema", "sqlite", "permissions")} == {
        "ok"
    }
    assert all(line[:5] in {"ok   ", "warn "} for line in done.stdout.splitlines())


def test_a_file_that_others_may_read_is_a_warning(
    lightwork: Invoke, made: Made, folder: Path
) -> None:
    made.ready()
    (folder / "lightwork.db").chmod(0o644)

    done = lightwork("doctor", "--quiet")

    assert done.exit_code == 0
    assert f"chmod o-rwx {folder}/lightwork.db" in done.stdout


def test_a_library_that_cannot_do_it_fails_and_says_so(
    lightwork: Invoke, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.ready()
    monkeypatch.setattr(engine, "TABLE_FUNCTION", "left_out")

    done = lightwork("doctor")

    assert done.exit_code == 1
    assert "fail database" in done.stdout
    assert "built without JSON" in done.stdout


def test_what_is_not_there_fails_and_says_what_to_do(lightwork: Invoke) -> None:
    done = lightwork("doctor")

    assert done.exit_code == 1
    assert "fail database" in done.stdout
    assert "lightwork db init sqlite:///" in done.stdout


def test_a_file_that_is_no_database_is_not_called_reached(lightwork: Invoke, folder: Path) -> None:
    (folder / "lightwork.db").write_text("a text of more than a hundred letters\n" * 30)

    done = lightwork("doctor")

    (found,) = [line for line in done.stdout.splitlines() if "database " in line]
    assert done.exit_code == 1
    assert found.startswith("fail database")
    assert "not a SQLite database" in found


@pytest.mark.parametrize("option", ["nix=1", "connect_timeout=x", "charset=klingon"])
def test_an_option_that_the_driver_does_not_take_is_named(lightwork: Invoke, option: str) -> None:
    done = lightwork("status", f"mysql+pymysql://root@127.0.0.1/mysql?{option}")

    assert done.exit_code == 2
    assert "takes no such option, or not this value" in done.output


def test_a_store_of_another_revision_fails(lightwork: Invoke, folder: Path) -> None:
    (folder / "lightwork.db").touch()

    done = lightwork("doctor")

    assert done.exit_code == 1
    assert "lightwork db upgrade sqlite:///lightwork.db" in done.stdout


def test_a_key_file_that_others_may_read_fails(lightwork: Invoke, made: Made, folder: Path) -> None:
    made.ready()
    key = folder / "key"
    key.write_bytes(os.urandom(32))
    key.chmod(0o644)

    found = looks(lightwork, "--authkey-file", "key")

    assert found["authkey"]["state"] == "fail"
    assert "chmod 600 key" in found["authkey"]["do"]


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_server_is_asked_for_its_settings(lightwork: Invoke, kind: str) -> None:
    with servers.new_database(kind) as made:
        # A server that trusts everybody asks for no password.
        secret = "hush" if kind == "postgresql" else None
        url = make_url(made).set(password=secret).render_as_string(hide_password=False)
        before = lightwork("doctor", url)
        lightwork("db", "init", url)
        found = looks(lightwork, url)

    assert before.exit_code == 1
    assert "lightwork db upgrade" in before.stdout
    assert found["schema"]["state"] == found["server"]["state"] == found["clock"]["state"] == "ok"
    assert "hush" not in before.stdout + json.dumps(found)


def test_a_server_that_is_out_of_reach_fails_without_its_password(lightwork: Invoke) -> None:
    done = lightwork("doctor", "postgresql+psycopg://ada:hush@127.0.0.1:1/work")

    assert done.exit_code == 1
    assert "cannot be reached" in done.stdout
    assert "hush" not in done.output
