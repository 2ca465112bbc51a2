"""Functions that tests of whole maps run, also in children."""

from pathlib import Path


def square(number: int) -> int:
    return number * number


def touch(path: str) -> None:
    Path(path).touch()


def add(one: int, other: int) -> int:
    return one + other
