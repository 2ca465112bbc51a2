"""What writes to standard output and error in these tests, importable by children."""
# ruff: noqa: T201 - printing is what they are for

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn


def say(text: str) -> str:
    print(text)
    return text


def shout(text: str) -> None:
    print(text, file=sys.stderr)


def say_in_parts(*parts: str) -> None:
    for part in parts:
        print(part, end="", flush=True)


def say_in_c(text: str) -> None:
    libc = ctypes.CDLL(None)
    libc.puts(text.encode())
    libc.fflush(None)


def say_in_a_program(text: str) -> None:
    subprocess.run(["sh", "-c", 'echo "$0"; echo "$0" >&2', text], check=True)


def say_bytes(data: bytes) -> None:
    os.write(1, data)


def say_and_die(text: str) -> NoReturn:
    print(text, end="", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def say_many(count: int) -> None:
    for number in range(count):
        print("line", number)


def say_and_fail(text: str) -> NoReturn:
    print(text, end="")
    raise ValueError(text)


def one() -> None:
    print("one")


def two() -> None:
    print("two")


def leave_a_program_that_speaks() -> int:
    program = subprocess.Popen(["sh", "-c", "echo left; exec sleep 1000"], start_new_session=True)
    return program.pid


def streams() -> list[str]:
    return [str(Path(f"/proc/self/fd/{fd}").readlink()) for fd in (1, 2)]
