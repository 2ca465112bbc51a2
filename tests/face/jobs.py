"""Tasks of the tests beside this; children import it, so it imports little."""

import os
import pickle
import time
from dataclasses import dataclass
from pathlib import Path

from lightwork.pool.call.current import current
from lightwork.tasks.task import task


@dataclass(frozen=True)
class Point:
    x: int
    y: int


class Opaque:
    """Is not plain data: travels as a signed pickle only."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opaque) and other.number == self.number

    def __hash__(self) -> int:
        return hash(self.number)


class Trap:
    """Leaves a file behind wherever it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path(self.path),))


def trap(path: str) -> bytes:
    return pickle.dumps(Trap(path))


def plain(n: int) -> int:
    return n


@task
def square(n: int) -> int:
    return n * n


@task
def one_of(number: int) -> set[int]:
    """Return what a weak reference can tell the end of."""
    return {number}


@task
def add(a: int, b: int = 0) -> int:
    return a + b


@task
def mirror(point: Point) -> Point:
    return Point(point.y, point.x)


@task
def same(thing: object) -> object:
    return thing


@task
def make_opaque() -> object:
    return Opaque(7)


@task
def invert(n: int) -> float:
    return 1 / n


@task
def note(path: str, text: str) -> None:
    """Leave a line: how often and in which order jobs ran."""
    with Path(path).open("a") as lines:
        lines.write(f"{text}\n")


@task
def note_then_die(path: str) -> None:
    with Path(path).open("a") as lines:
        lines.write("ran\n")
    os._exit(3)


@task(retries=5, backoff=0.02)
def succeed_in(attempt: int) -> int:
    if current().attempt < attempt:
        raise ValueError(f"attempt {current().attempt}")
    return current().attempt


@task(retries=2, backoff=0.0)
def note_then_fail(path: str) -> None:
    with Path(path).open("a") as lines:
        lines.write(f"{current().attempt}\n")
    raise ValueError("no value")


@task(retries=5, backoff=0.02, retry_on=(OSError,))
def fail_with(kind: str) -> None:
    raise FileNotFoundError("no file") if kind == "os" else ValueError("no value")


@task
def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@task
def wait_for(path: str) -> str:
    """Run until the file is there."""
    Path(path + ".entered").touch()
    while not Path(path).exists():
        time.sleep(0.005)
    return "let go"


@task
def fail_first(path: str) -> int:
    """Fail; run again, wait until the file is there."""
    if current().attempt == 1:
        raise ValueError("first")
    wait_for(path)
    return current().attempt


@task
def run_until_asked(path: str) -> str:
    """Run until nobody wants the result any more."""
    Path(path).touch()
    while not current().cancelled:
        time.sleep(0.005)
    return "asked"


@task
def facts() -> tuple[str, int, str]:
    call = current()
    return call.job_id, call.attempt, call.worker


@task
def half_done(path: str) -> None:
    current().progress(1, 2, "half")
    wait_for(path)


@task
def report_steps(count: int) -> int:
    for done in range(1, count + 1):
        current().progress(done, 30, f"step {done}")
    return count


@task
def report_then_wait(path: str) -> None:
    current().progress(1, 2, "half")
    wait_for(path)
    current().progress(2, 2, "whole")
