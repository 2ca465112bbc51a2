"""Classes of the script itself reach the children of every executor, and come back as themselves."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import dataclasses, enum, sys, typing
import msgspec
import lightwork as lw

@dataclasses.dataclass
class Point:
    x: int
    y: int = 2
    tags: list[str] = dataclasses.field(default_factory=list)

@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Slim:
    x: int
    _: dataclasses.KW_ONLY
    y: int = 2

class Color(enum.Enum):
    RED = 1

class Rights(enum.Flag):
    READ = 1
    WRITE = 2

class Row(typing.NamedTuple):
    a: int
    b: str = "b"

class Item(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    unit_price: int
    tags: list[str] = []

class Order(msgspec.Struct):
    n: int
    items: list[Item] = msgspec.field(default_factory=lambda: [Item(unit_price=7)])
    total: int = 0

    def doubled(self) -> "Order":
        return type(self)(2 * self.n)

VALUES = [Point(1), Slim(x=1), Color.RED, Rights.READ | Rights.WRITE, Row(1), Order(3)]

@lw.task
def point(value: Point) -> Point: return check(value)
@lw.task
def slim(value: Slim) -> Slim: return check(value)
@lw.task
def color(value: Color) -> Color: return check(value)
@lw.task
def rights(value: Rights) -> Rights: return check(value)
@lw.task
def row(value: Row) -> Row: return check(value)
@lw.task
def order(value: Order) -> Order: return check(value)

@lw.task
def unannotated(value): return value, check(value)

def check(value):
    assert type(value) is type(next(known for known in VALUES if type(known) is type(value)))
    if type(value) is Point:
        assert Point(5) == Point(5, 2, [])
    if type(value) is Order:
        assert value.doubled() == Order(6) and Order(6).items[0].unit_price == 7
        assert msgspec.json.encode(value.items[0]) == b'{"unitPrice":7,"tags":[]}'
    return value

def begin(point):
    assert type(point) is Point and Point(5) == Point(5, 2, [])

def class_id(_, value):
    return id(type(value))

TASKS = [point, slim, color, rights, row, order]

if __name__ == "__main__":
    where, options = sys.argv[1], {"workers": 1} if "://" in sys.argv[1] else {}
    if options and sys.argv[2:]:
        with lw.executor(where, authkey=sys.argv[2].encode(), **options) as ex:
            for value in VALUES:
                found = ex.submit(unannotated, value).result(60)
                assert found == (value, value) and type(found[0]) is type(value), found
    with lw.executor(where, **options) as ex:
        for task, value in zip(TASKS, VALUES):
            for found in (ex.submit(task, value).result(60), *ex.map(task, [value], timeout=60)):
                assert isinstance(found, type(value)) and found == value, (task, found)
            if not options:
                assert len({ex.submit(class_id, n, value).result(60) for n in range(3)}) == 1
    if where.startswith("processes"):
        with lw.executor(where, initializer=begin, initargs=(VALUES[0],)) as ex:
            assert ex.submit(abs, -1).result(60) == 1
    print("all of them")
"""


@pytest.mark.process
@pytest.mark.parametrize("where", ["inline", "threads:1", "processes:1", "store"])
def test_classes_of_the_script_arrive_as_themselves(tmp_path: Path, where: str) -> None:
    url = f"sqlite:///{tmp_path}/work.db" if where == "store" else where

    assert run(tmp_path, url) == ("all of them\n", "")


@pytest.mark.process
def test_classes_of_the_script_arrive_as_themselves_in_signed_pickles(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/work.db"

    assert run(tmp_path, url, "k" * 32) == ("all of them\n", "")


def run(tmp_path: Path, *arguments: str) -> tuple[str, str]:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script), *arguments],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout, done.stderr
