"""Amounts: numbers of jobs and sizes, as GNU parallel has them typed. Pure."""

import re
from typing import Final

from lightwork.errors import UsageError

MOST_JOBS: Final = 1024
_JOBS: Final = re.compile(r"([+-]?)([0-9]{1,6}(?:\.[0-9]{1,3})?)(%?)")
_SIZE: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)([kmgtpKMGTP]?)")
_POWERS: Final = "kmgtp"
# What --load 0 means there.
_NO_LOAD: Final = 0.01


def parse_jobs(text: str, cpus: int) -> int:
    """Return how many jobs "8", "50%" of the CPUs, "+2" or "-1" beside them are; "0" is 0.

    Raises:
        UsageError: They are none, or too many.
    """
    found = _JOBS.fullmatch(text)
    if found is None or (not found[3] and "." in found[2]):
        raise UsageError(
            f"-j {text}: expected a number of jobs such as 8, or 50% of the CPUs, or +1 or -1 "
            "beside them"
        )
    if text == "0":
        return 0
    count = max(int(_amount(found, cpus)), 1)
    if count > MOST_JOBS:
        raise UsageError(f"-j {text}: at most {MOST_JOBS} jobs run at a time")
    return count


def parse_load(text: str, cpus: int) -> float:
    """Return below how many running processes "4", "100%" of the CPUs ... mean.

    Raises:
        UsageError: They mean none.
    """
    if not text:
        return 0.0
    found = _JOBS.fullmatch(text)
    if found is None:
        raise UsageError(f"--load {text}: expected a number of processes, or 100% of the CPUs")
    return max(_amount(found, cpus), _NO_LOAD)


def parse_size(option: str, text: str) -> int:
    """Return the bytes of "300k" (of 1000) or "1M" (of 1024 * 1024); "" is 0.

    Raises:
        UsageError: It is no size.
    """
    if not text:
        return 0
    found = _SIZE.fullmatch(text)
    if found is None:
        raise UsageError(f"{option} {text}: expected a size such as 500k, 1M or 2G")
    unit = 1000 if found[2].islower() else 1024
    power = _POWERS.index(found[2].lower()) + 1 if found[2] else 0
    return int(float(found[1]) * unit**power)


def _amount(found: re.Match[str], cpus: int) -> float:
    number = float(found[2]) * cpus / 100 if found[3] else float(found[2])
    return {"": number, "+": cpus + number, "-": cpus - number}[found[1]]
