"""The first thing that anybody types."""

import subprocess
import sys
from pathlib import Path

import pytest

from cli.conftest import Invoke
from cli.runs import clean_environment, run
from lightwork.cli.main import VERBS

HEAVY = {"alembic", "msgspec", "multiprocessing", "rich", "sqlalchemy", "tomllib"}
SHOW_IMPORTS = """
import sys
sys.argv = ["lightwork", *{words}]
from lightwork.cli.main import main
try:
    main()
except SystemExit:
    pass
print(*sorted(name for name in sys.modules if "." not in name))
"""


def imports_of(*words: str, folder: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", SHOW_IMPORTS.format(words=words)],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())


def test_help_imports_nothing_heavy(folder: Path) -> None:
    imported = imports_of("--help", folder=folder)

    assert "click" in imported
    assert imported & HEAVY == set()


def test_help_imports_no_verb_and_no_error(folder: Path) -> None:
    # concurrent.futures.process, which errors.py needs, takes as long as the whole of --help.
    imported = imports_of("--help", folder=folder)

    assert "concurrent" not in imported


def test_help_names_every_verb(lightwork: Invoke) -> None:
    done = lightwork("--help")

    assert done.exit_code == 0
    assert all(f"  {verb} " in done.stdout for verb in VERBS)


def test_the_short_flag_helps_too(lightwork: Invoke) -> None:
    done = lightwork("-h")

    assert done.stdout == lightwork("--help").stdout


# The demo belongs to somebody else, and to tests of its own.
@pytest.mark.parametrize("verb", sorted(VERBS.keys() - {"demo"}))
def test_every_verb_helps(lightwork: Invoke, verb: str) -> None:
    done = lightwork(verb, "--help")

    assert done.exit_code == 0
    assert done.stdout.startswith(f"Usage: lightwork {verb}")


def test_the_version_is_that_of_the_package(lightwork: Invoke) -> None:
    done = lightwork("--version")

    assert done.stdout == "lightwork, version 0.1.0\n"


def test_the_version_in_the_environment_changes_nothing(
    lightwork: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTWORK_VERSION", "1")

    done = lightwork("db", "init", "--json")

    assert "revision" in done.stdout


def test_the_module_runs_like_the_script(folder: Path) -> None:
    done = run("--help", folder=folder)

    assert done.returncode == 0
    assert done.stdout.startswith("Usage: lightwork [OPTIONS]")


@pytest.mark.parametrize(
    ("typed", "found"),
    [("lightwork tu", "plain,tune"), ("lightwork jobs sh", "plain,show")],
)
def test_verbs_are_completed(folder: Path, typed: str, found: str) -> None:
    done = run(
        folder=folder,
        _LIGHTWORK_COMPLETE="bash_complete",
        COMP_WORDS=typed,
        COMP_CWORD=str(typed.count(" ")),
    )

    assert done.stdout.split() == [found]


def test_completion_comes_from_click(folder: Path) -> None:
    done = run(folder=folder, _LIGHTWORK_COMPLETE="bash_source")

    assert "complete" in done.stdout
