"""The sources keep to their layers and limits, and every rule is able to fail."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

import layers
import structure
from structure import Source

Rule = Callable[[Sequence[Source]], Iterator[str]]

RULES: tuple[Rule, ...] = (
    structure.placement_problems,
    structure.import_problems,
    structure.purity_problems,
    structure.room_problems,
    structure.folder_problems,
    structure.cycle_problems,
    structure.size_problems,
    structure.parameter_problems,
    structure.late_import_problems,
    structure.docstring_problems,
)

# A file that breaks the rule, and the beginning of what is said about it.
OFFENCES = [
    ("strange.py", "", structure.placement_problems, "strange.py:1: belongs to no layer"),
    ("pool/a.py", "import lightwork", structure.import_problems, "pool/a.py:1: imports the pack"),
    ("cli/a.py", "from lightwork.tasks.task import task as t", structure.import_problems, ""),
    ("cli/a.py", "from lightwork import Task", structure.import_problems, "cli/a.py:1: imports t"),
    ("pool/a.py", "from . import b", structure.import_problems, "pool/a.py:1: relative import"),
    (
        "model.py",
        "import lightwork.tasks.task",
        structure.import_problems,
        "model.py:1: imports tasks/task.py",
    ),
    ("retry.py", "import lightwork.lifecycle", structure.import_problems, ""),
    (
        "retry.py",
        "import lightwork.tasks.task",
        structure.import_problems,
        "retry.py:1: imports its sib",
    ),
    ("pool/a.py", "import lightwork.store.b", structure.import_problems, "pool/a.py:1: imports i"),
    ("pool/a.py", "import lightwork.pool.b", structure.import_problems, ""),
    ("work/a.py", "import lightwork.pool.b", structure.import_problems, ""),
    (
        "work/a.py",
        "import lightwork.cli.b",
        structure.import_problems,
        "work/a.py:1: imports cli/b",
    ),
    ("pool/a.py", "from lightwork.cli import b, c", structure.import_problems, "pool/a.py:1: im"),
    ("pool/a/b.py", "", structure.room_problems, "pool/a/b.py:1: a/ is no room of pool/"),
    ("pool/wire/a.py", "import lightwork.pool.call.b", structure.room_problems, ""),
    (
        "pool/call/a.py",
        "import lightwork.pool.wire.b",
        structure.room_problems,
        "pool/call/a.py:1: imports pool/wire/b.py from a room below",
    ),
    (
        "pool/memory/a.py",
        "import lightwork.pool.call.b",
        structure.room_problems,
        "pool/memory/a.py:1: imports pool/call/b.py from a room below or beside",
    ),
    ("store/sql/a.py", "import lightwork.store.urls", structure.room_problems, ""),
    (
        "store/urls.py",
        "import lightwork.store.b",
        structure.room_problems,
        "store/urls.py:1: imports store/b.py from a room below",
    ),
    ("retry.py", "from time import time", structure.import_problems, "retry.py:1: a rule imports"),
    ("retry.py", "import lightwork.clock", structure.import_problems, "retry.py:1: a rule imports"),
    ("retry.py", "import timeit", structure.import_problems, ""),
    ("retry.py", "datetime.now(UTC)", structure.purity_problems, "retry.py:1: a rule calls now()"),
    ("pool/a.py", "datetime.now(UTC)", structure.purity_problems, ""),
    ("pool/b.py", "from lightwork.pool import b", structure.cycle_problems, "pool/b.py:1: import"),
    ("__init__.py", "import asyncio", structure.cycle_problems, ""),
    ("pool/a.py", "#\n" * 501, structure.size_problems, "pool/a.py:501: over 500 lines"),
    ("pool/a.py", "#\n" * 500, structure.size_problems, ""),
    ("pool/a.py", "def f():\n" + " 1\n" * 50, structure.size_problems, "pool/a.py:1: f has 51"),
    ("pool/a.py", "def f():\n '''\n'''\n" + " 1\n" * 49, structure.size_problems, ""),
    ("store/migrations/versions/a.py", "#\n" * 501, structure.size_problems, ""),
    ("pool/a.py", "def f(a, b, c, /, d, e, f): 1", structure.parameter_problems, "pool/a.py:1: f "),
    ("pool/a.py", "def f(a, b, c, d, e, *f, g): 1", structure.parameter_problems, ""),
    ("pool/a.py", "class C:\n def f(self, a, b, c, d, e): 1", structure.parameter_problems, ""),
    ("pool/a.py", "def f():\n import os", structure.late_import_problems, "pool/a.py:2: f imports"),
    ("cli/a.py", "def f():\n import os", structure.late_import_problems, ""),
    ("pool/a.py", "import os", structure.docstring_problems, "pool/a.py:1: no docstring"),
]
NEIGHBOURS = [
    Source(path, "")
    for path in (
        *("tasks/task.py", "lifecycle.py", "pool/b.py", "store/b.py", "cli/b.py"),
        *("pool/call/b.py", "pool/wire/b.py", "store/urls.py"),
    )
]


# No longer than this file: trees of everything would be the garbage collector's burden in all other tests.
@pytest.fixture(scope="module")
def sources() -> Sequence[Source]:
    return structure.read_sources()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_sources_keep_the_rule(rule: Rule, sources: Sequence[Source]) -> None:
    problems = list(rule(sources))

    assert not problems, "\n" + "\n".join(f"src/lightwork/{problem}" for problem in problems)


@pytest.mark.parametrize(("path", "text", "rule", "expected"), OFFENCES)
def test_a_rule_tells_an_offence_from_fair_use(
    path: str, text: str, rule: Rule, expected: str
) -> None:
    neighbours = [source for source in NEIGHBOURS if source.path != path]

    problems = [found for found in rule([Source(path, text), *neighbours]) if path in found]

    assert len(problems) == bool(expected), problems
    assert all(found.startswith(expected) for found in problems)


def test_an_import_cycle_is_shown_as_a_circle() -> None:
    one = Source("pool/one.py", "from lightwork.pool.two import x")
    two = Source("pool/two.py", "def f():\n    from lightwork.pool import one")

    (problem,) = structure.cycle_problems([one, two])

    assert "one.py <- pool/two.py" in problem or "two.py <- pool/one.py" in problem


def test_a_folder_that_is_too_full_is_told() -> None:
    files = [Source(f"pool/call/f{number}.py", "") for number in range(17)]

    assert not list(structure.folder_problems(files[1:]))
    assert list(structure.folder_problems(files)) == [
        "pool/call/:1: 17 files, over 16; make rooms in it"
    ]


def test_the_sources_are_found(sources: Sequence[Source]) -> None:
    paths = {source.path for source in sources}

    assert {"__init__.py", "errors.py", "pool/__init__.py"} <= paths


def test_no_file_belongs_to_two_rows() -> None:
    names = [name for layer in layers.LAYERS for part in layer.parts for name in part.split()]

    assert len(names) == len(set(names))


def test_every_late_import_that_is_allowed_still_happens(sources: Sequence[Source]) -> None:
    files = {source.path for source in sources}

    late = {found[:2] for found in structure.late_imports(sources)}

    allowed = {(path, name) for path, name in structure.LATE_IMPORTS if path in files}
    assert allowed <= late, "remove what is gone from LATE_IMPORTS"


def test_the_manual_shows_the_layers_and_lifecycle_of_the_code() -> None:
    script = Path(__file__).parents[1] / "docs" / "build.py"

    done = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
