"""The package's face: what `import lightwork` offers, and how little it costs."""

import importlib
import importlib.util
import subprocess
import sys
from types import ModuleType

import pytest

import lightwork

# Absent until the face names something; every test below then holds for each name.
NAMES: list[str] = list(getattr(lightwork, "__all__", []))
# Public as modules.
MODULES = {"multiprocessing", "testing"}
HEAVY = ["alembic", "asyncio", "click", "msgspec", "multiprocessing", "rich", "sqlalchemy"]

# The interpreter's own start may import anything (a .pth file does): look at what is added.
WHAT_IS_ADDED = """
import sys
before = set(sys.modules)
import lightwork
print(*sorted(set(sys.modules) - before))
"""


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_can_be_imported(name: str) -> None:
    found = getattr(lightwork, name)

    assert found is not None


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_listed_by_dir(name: str) -> None:
    listed = dir(lightwork)

    assert name in listed


@pytest.mark.parametrize("name", sorted(set(NAMES) - MODULES))
def test_a_public_name_is_not_hidden_by_a_module_of_that_name(name: str) -> None:
    # Importing lightwork.tasks binds `lightwork.tasks` to the module, whatever the face says.
    if importlib.util.find_spec(f"lightwork.{name}"):
        importlib.import_module(f"lightwork.{name}")

    found = getattr(lightwork, name)

    assert not isinstance(found, ModuleType)


@pytest.mark.parametrize("name", NAMES)
def test_a_public_class_is_known_by_its_public_name(name: str) -> None:
    # Signed pickles lie in stores for years: where a class is defined may change, its name may not.
    found = getattr(lightwork, name)

    assert not isinstance(found, type) or found.__module__ == "lightwork"


def test_public_names_are_sorted_and_unique() -> None:
    expected = sorted(set(NAMES))

    assert expected == NAMES


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        getattr(lightwork, "no_such_name")  # noqa: B009 - mypy knows that it is absent


def test_pools_of_this_machine_import_no_database() -> None:
    calls = (
        "import sys, lightwork as lw\n"
        'for where in ("inline", "threads", "processes:1"):\n'
        "    with lw.executor(where) as ex: ex.submit(abs, -1).result(60)\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", calls], capture_output=True, text=True, check=True, timeout=120
    )

    loaded = done.stdout.split()
    assert "lightwork.pool.process.executor" in loaded
    assert [name for name in ("sqlalchemy", "msgspec", "alembic") if name in loaded] == []


def test_importing_the_package_imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WHAT_IS_ADDED], capture_output=True, text=True, check=True
    )

    added = done.stdout.split()
    assert "lightwork" in added
    assert [name for name in HEAVY if name in added] == []
