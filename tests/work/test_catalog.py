"""Catalog: a row never decides by itself which code runs."""

import importlib
import sys
import textwrap
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from lightwork.errors import TaskNotFound, UsageError
from lightwork.tasks.task import Task, task
from lightwork.work.catalog import Catalog


@task
def known(n: int) -> int:
    return n


def plain(n: int) -> int:
    return n


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path; what was imported from it is forgotten."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("lw_"):
            del sys.modules[name]


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(textwrap.dedent(text))


def test_a_task_that_was_given_is_found() -> None:
    assert Catalog([known]).find(known.name) is known


def test_an_unknown_name_is_refused_by_name() -> None:
    with pytest.raises(TaskNotFound) as refusal:
        Catalog([known]).find("os:system")

    assert refusal.value.name == "os:system"


def test_the_module_of_an_unknown_name_is_not_imported(folder: Path) -> None:
    write(folder, "lw_trap.py", "import pathlib; pathlib.Path(__file__ + '.ran').touch()")

    for catalog in (Catalog([known]), Catalog([known], imported=True)):
        with pytest.raises(TaskNotFound):
            catalog.find("lw_trap:run")

    assert "lw_trap" not in sys.modules
    assert not (folder / "lw_trap.py.ran").exists()


def test_a_module_on_the_path_of_a_name_is_not_imported_for_an_allowed_prefix(folder: Path) -> None:
    write(folder, "lw_shop.py", "")
    write(folder, "lw_shopping.py", "import pathlib; pathlib.Path(__file__ + '.ran').touch()")

    with pytest.raises(TaskNotFound):
        Catalog(allow=["lw_shop"]).find("lw_shopping:run")

    assert not (folder / "lw_shopping.py.ran").exists()


def test_tasks_of_a_named_module_are_found(folder: Path) -> None:
    write(folder, "lw_mine.py", "import lightwork.tasks.task as t\n@t.task\ndef run(): pass\n")

    assert Catalog(modules=["lw_mine"]).names == ["lw_mine:run"]


def test_plain_functions_of_a_named_module_are_not(folder: Path) -> None:
    write(folder, "lw_mine.py", "def run(): pass\n")

    with pytest.raises(TaskNotFound):
        Catalog(modules=["lw_mine"]).find("lw_mine:run")


def test_plain_functions_of_an_allowed_module_are_found(folder: Path) -> None:
    write(folder, "lw_free.py", "def run(): return 7\n")

    found = Catalog(allow=["lw_free"]).find("lw_free:run")

    assert isinstance(found, Task)
    assert found() == 7


def test_what_an_allowed_module_merely_imported_is_refused(folder: Path) -> None:
    write(folder, "lw_free.py", "import os\nfrom os import system\n")
    catalog = Catalog(allow=["lw_free"])

    for name in ("lw_free:os.system", "lw_free:system", "lw_free:os.path.join"):
        with pytest.raises(TaskNotFound):
            catalog.find(name)


@pytest.mark.parametrize(
    "name",
    ["", ":", "lw_free", "lw_free:", "lw_free:.", "lw_free:run.", "lw_free:a..b", "lw_free.no:x"],
)
def test_a_senseless_name_is_refused_and_nothing_worse(folder: Path, name: str) -> None:
    write(folder, "lw_free.py", "def run(): pass\n")

    with pytest.raises(TaskNotFound):
        Catalog(allow=["lw_free"], imported=True).find(name)


TRAP = "import pathlib; pathlib.Path(__file__ + '.ran').touch()\n"


def test_a_row_imports_nothing_below_an_allowed_module(folder: Path) -> None:
    (folder / "lw_pack").mkdir()
    write(folder, "lw_pack/__init__.py", "")
    catalog = Catalog(allow=["lw_pack"])

    for name in ("__main__", "sub"):
        write(folder, f"lw_pack/{name}.py", TRAP + "def run(): pass\n")
        assert not catalog.knows(f"lw_pack.{name}:run")
        assert not (folder / f"lw_pack/{name}.py.ran").exists()


def test_functions_below_an_allowed_module_are_found_where_it_imports_them(folder: Path) -> None:
    (folder / "lw_pack").mkdir()
    write(folder, "lw_pack/__init__.py", "from lw_pack import sub, __main__\n")
    for name in ("sub", "__main__"):
        write(folder, f"lw_pack/{name}.py", "def run(): pass\n")
    catalog = Catalog(allow=["lw_pack"])

    assert catalog.knows("lw_pack.sub:run")
    assert not catalog.knows("lw_pack.__main__:run")


LAZY = """
    import pathlib
    import lightwork.tasks.task as t
    def note(): pathlib.Path(__file__ + ".ran").touch()
    def __getattr__(name): note()
    class Odd:
        @property
        def wipe(self): note()
        __class__ = wipe
        def __getattr__(self, name): note()
    class Kind(type):
        @property
        def wipe(cls): note()
    class Made(metaclass=Kind): pass
    odd = Odd()
    class Good:
        @staticmethod
        @t.task
        def run(): pass
"""


@pytest.mark.parametrize("name", ["boom", "odd", "odd.wipe", "odd.boom", "Made.wipe"])
def test_a_row_runs_no_code_by_the_name_of_its_task(folder: Path, name: str) -> None:
    write(folder, "lw_lazy.py", LAZY)

    for catalog in (Catalog(allow=["lw_lazy"]), Catalog(imported=True)):
        assert not catalog.knows(f"lw_lazy:{name}")

    assert not (folder / "lw_lazy.py.ran").exists()


def test_tasks_in_a_class_are_found(folder: Path) -> None:
    write(folder, "lw_lazy.py", LAZY)

    for catalog in (Catalog(allow=["lw_lazy"]), Catalog(imported=True)):
        assert catalog.knows("lw_lazy:Good.run")


@pytest.mark.parametrize("name", ["Plain", "made"])
def test_only_functions_of_an_allowed_module_are_found(folder: Path, name: str) -> None:
    text = "class Plain:\n    def __call__(self): pass\nmade = Plain()\n"
    write(folder, "lw_free.py", text)

    assert not Catalog(allow=["lw_free"]).knows(f"lw_free:{name}")


def test_a_task_of_an_imported_module_is_found_only_where_that_was_asked() -> None:
    assert Catalog(imported=True).find(known.name) is known
    with pytest.raises(TaskNotFound):
        Catalog().find(known.name)


def test_a_plain_function_of_an_imported_module_is_never_found() -> None:
    with pytest.raises(TaskNotFound):
        Catalog(imported=True).find(f"{__name__}:plain")


def test_a_task_of_the_main_script_goes_by_the_name_of_the_script(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run() -> None: ...

    run.__module__, run.__qualname__ = "__main__", "run"
    # What runs the tests may itself be a prompt.
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", ModuleSpec("script", None))
    declared = task(run)
    monkeypatch.setattr(sys.modules["__main__"], "run", declared, raising=False)

    assert declared.name == "script:run"
    assert Catalog(imported=True).find(declared.name) is declared


ELSEWHERE = "lw_script:run@/somewhere/else/lw_script.py"


@pytest.fixture
def script(folder: Path) -> Path:
    write(folder, "lw_script.py", "import lightwork.tasks.task as t\n@t.task\ndef run(): pass\n")
    return folder / "lw_script.py"


@pytest.mark.usefixtures("script")
def test_a_module_that_was_named_answers_for_every_script_of_its_name() -> None:
    catalog = Catalog(modules=["lw_script"])

    assert catalog.knows("lw_script:run")
    assert catalog.knows(ELSEWHERE)
    assert not catalog.knows("lw_script:walk@/somewhere/else/lw_script.py")
    assert not catalog.knows("__main__:run@session-1")


@pytest.mark.usefixtures("script")
def test_an_allowed_module_answers_for_every_script_of_its_name() -> None:
    assert Catalog(allow=["lw_script"]).knows(ELSEWHERE)


def test_a_module_that_is_imported_anyway_answers_for_its_own_file_only(script: Path) -> None:
    importlib.import_module("lw_script")
    catalog = Catalog(imported=True)

    assert catalog.knows("lw_script:run")
    assert catalog.knows(f"lw_script:run@{script.resolve()}")
    assert not catalog.knows(ELSEWHERE)


@pytest.mark.parametrize(
    ("own", "name", "is_known"),
    [
        ("shop:run@/a/shop.py", "shop:run@/a/shop.py", True),
        ("shop:run@/a/shop.py", "shop:run", True),
        ("shop:run@/a/shop.py", "shop:run@/b/shop.py", False),
        ("__main__:run@session-1", "__main__:run@session-1", True),
        ("__main__:run@session-1", "__main__:run@session-2", False),
        ("__main__:run@session-1", "__main__:run", False),
    ],
)
@pytest.mark.parametrize("is_given", [True, False])
def test_a_script_or_session_answers_for_itself_and_its_plain_name(
    monkeypatch: pytest.MonkeyPatch, own: str, name: str, *, is_known: bool, is_given: bool
) -> None:
    declared = Task(plain, name=own)
    monkeypatch.setattr(sys.modules["__main__"], "run", declared, raising=False)

    catalog = Catalog([declared]) if is_given else Catalog(imported=True)

    assert catalog.knows(name) is is_known


def test_a_task_that_is_declared_anew_replaces_the_old_one() -> None:
    catalog = Catalog([known])
    anew = Task(plain, name=known.name)

    catalog.add(anew)

    assert catalog.find(known.name) is anew


def test_a_module_that_a_person_named_wrongly_is_told_at_once() -> None:
    with pytest.raises(UsageError, match="lw_absent"):
        Catalog(modules=["lw_absent"])
