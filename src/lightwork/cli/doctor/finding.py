"""Finding: what one look of the doctor has found."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: `what` was looked at, what was `seen`, and what to `do` about it if anything."""

    state: State
    what: str
    seen: str
    do: str = ""


def judge(what: str, seen: object, *, is_good: bool, do: str, bad: State = "warn") -> Finding:
    """Return that it is well, or what to do."""
    return Finding("ok", what, str(seen)) if is_good else Finding(bad, what, str(seen), do)
