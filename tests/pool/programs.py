"""Whole programs that tests start, and what is left of them."""

import contextlib
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil

HERE = Path(__file__).parent
SRC = HERE.parents[1] / "src"


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def is_alive(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


def run_program(text: str, *args: object, **options: object) -> "subprocess.Popen[str]":
    """Start a program that can import lightwork and calls."""
    script = f"import sys; sys.path[:0] = [{str(SRC)!r}, {str(HERE)!r}]\n" + textwrap.dedent(text)
    program: subprocess.Popen[str] = subprocess.Popen(
        [sys.executable, "-W", "error", "-X", "dev", "-c", script, *map(str, args)],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,  # type: ignore[call-overload]
    )
    return program


def finish(program: "subprocess.Popen[str]", within: float = 30) -> tuple[str, str]:
    """Return what a program wrote, once it has ended."""
    with program:
        try:
            return program.communicate(timeout=within)
        except subprocess.TimeoutExpired:
            program.send_signal(signal.SIGABRT)
            raise
