"""What children and threads run in the tests of the pools' features."""

import ctypes
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any, NoReturn

from lightwork.pool.wire.function_cache import FunctionNotLoaded

TESTS = Path(__file__).parents[1]
FOLDERS = (str(TESTS.parent / "src"), str(TESTS), str(TESTS / "pool"))


def run_program(text: str, *args: str) -> "subprocess.CompletedProcess[str]":
    """Run a program that can import lightwork and these calls."""
    script = f"import sys; sys.path[:0] = {list(FOLDERS)!r}\n" + textwrap.dedent(text)
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *args],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class NotThere:
    """A function whose code is half there wherever it is loaded."""

    def __call__(self) -> None:
        """Never run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _load_half, ()


def _load_half() -> NoReturn:
    raise FunctionNotLoaded("half of it is there")


def here() -> str:
    """Name the child and thread that runs this."""
    return f"{os.getpid()}-{threading.get_ident()}"


def write(path: str, text: str = "") -> None:
    """Append a line: where this ran, or the text."""
    with Path(path).open("a") as file:
        file.write(f"{text or here()}\n")


def read(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def fail_to_end() -> NoReturn:
    raise LookupError("the finalizer's own fault")


def exit_at_end() -> NoReturn:
    raise SystemExit(7)


def share(path: str, shared: list[str]) -> None:
    write(path, "-".join([*shared, "end"]))


def begin_sharing(shared: list[str]) -> None:
    shared.append("begin")


def title() -> str:
    return Path("/proc/self/comm").read_text().rstrip("\n")


def variables(*names: str) -> list[str | None]:
    return [os.environ.get(name) for name in names]


class WhenLoaded:
    """Has, after its journey, the variable as it was when it was loaded."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> tuple[object, ...]:
        return os.getenv, (self.name,)


def same(value: object) -> object:
    return value


def crash_deeply(depth: int) -> None:
    """Crash below so many functions with long names."""
    source = f"def {'f' * 300}(n):\n    return crash(n - 1) if n else fault()\n"
    names: dict[str, Any] = {"crash": crash_deeply, "fault": lambda: ctypes.string_at(0)}
    exec(compile(source, "deep.py", "exec"), names)
    names["f" * 300](depth)


KEPT: list[bytes] = []


def keep(size: int) -> int:
    """Leave this process with so much more memory."""
    KEPT.append(b"x" * size)
    return os.getpid()


def use_and_free(size: int) -> int:
    return len(b"x" * size) and os.getpid()
