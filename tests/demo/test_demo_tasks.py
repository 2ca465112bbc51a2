"""What the demo's jobs find in a file."""

from pathlib import Path

import pytest

from lightwork.demo.files import python_files
from lightwork.demo.tasks import measure
from lightwork.errors import UsageError

BRANCHES = [
    ("x = 1", 0),
    ("if a: pass", 1),
    ("if a: pass\nelif b: pass\nelse: pass", 2),
    ("x = 1 if a else 2", 1),
    ("for x in y: pass\nelse: pass", 1),
    ("while a: pass", 1),
    ("try: pass\nexcept A: pass\nexcept B: pass\nfinally: pass", 2),
    ("match a:\n    case 1: pass\n    case _: pass", 2),
    ("x = a and b and c or d", 3),
    ("x = [a for a in b if c if d]", 2),
    ("with a: pass", 0),
    ("async def f():\n    async for x in y: pass", 1),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "spam.py"


@pytest.mark.parametrize(("source", "branches"), BRANCHES)
def test_each_way_to_branch_is_counted(file: Path, source: str, branches: int) -> None:
    file.write_text(source)

    report = measure(str(file))

    assert report.branches == branches


@pytest.mark.parametrize(("source", "lines"), [("", 0), ("x", 1), ("x\n", 1), ("x\n\n", 2)])
def test_lines_are_counted_with_or_without_an_end_of_the_last(
    file: Path, source: str, lines: int
) -> None:
    file.write_text(source)

    report = measure(str(file))

    assert report.lines == lines


def test_functions_and_classes_are_counted_at_every_depth(file: Path) -> None:
    file.write_text(
        "class A:\n    async def f(self):\n        def g(): pass\n        class B: pass\n"
    )

    report = measure(str(file))

    assert (report.functions, report.classes) == (2, 2)


def test_methods_after_a_form_feed_are_timed_on_their_own_lines(file: Path) -> None:
    file.write_text("x = 1\n\f\nclass A:\n    def f(self):\n        return '''\nfar left\n'''\n")

    (slow,) = measure(str(file)).slowest

    assert (slow.name, slow.line) == ("f", 4)
    assert slow.milliseconds > 0


def test_only_three_functions_are_reported_slowest_first(file: Path) -> None:
    line = "    x = [1, 2, 3]\n"
    file.write_text("".join(f"def f{n}():\n{line * n * 20}" for n in range(1, 6)))

    slowest = measure(str(file)).slowest

    assert len(slowest) == 3
    times = [slow.milliseconds for slow in slowest]
    assert times == sorted(times, reverse=True)


def test_the_declared_encoding_is_obeyed(file: Path) -> None:
    file.write_bytes("# coding: latin-1\nx = 'é'\n".encode("latin-1"))

    report = measure(str(file))

    assert report.lines == 2


@pytest.mark.parametrize("source", [b"def f(:\n", b"# coding: no-such\n", b"x = '\xff'\n"])
def test_what_is_not_python_is_a_syntax_error(file: Path, source: bytes) -> None:
    file.write_bytes(source)

    with pytest.raises(SyntaxError):
        measure(str(file))


def test_installed_packages_are_not_measured(tmp_path: Path) -> None:
    for name in ("a.py", "site-packages/b.py", "c/d.py", "c/e.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    files = python_files(tmp_path)

    assert [file.relative_to(tmp_path).as_posix() for file in files] == ["a.py", "c/d.py"]


def test_a_limit_spreads_over_all_files(tmp_path: Path) -> None:
    for number in range(9):
        (tmp_path / f"{number}.py").touch()

    files = python_files(tmp_path, limit=3)

    assert [file.stem for file in files] == ["0", "3", "6"]


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no Python source file below"):
        python_files(tmp_path)
