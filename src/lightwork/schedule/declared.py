"""Declared: the schedule of a task, as `@task(schedule=...)` says it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lightwork.errors import BadSchedule
from lightwork.model import CatchUp
from lightwork.schedule.rules import EXPECTED, parse_rule


@dataclass(frozen=True, slots=True)
class Schedule:
    """What `@task(schedule=...)` declares: checked, and as a store keeps it."""

    spec: str
    tz: str
    catch_up: CatchUp


def declare(
    fn: Callable[..., Any], schedule: object = None, tz: object = None, catch_up: object = None
) -> Schedule:
    """Return the schedule of a task, which is called without arguments.

    Raises:
        BadSchedule: It is none, or the function cannot be called so.
    """
    if schedule is None:
        raise BadSchedule(f"tz and catch_up belong to a schedule, which is {EXPECTED}; seen: none")
    rule = parse_rule(schedule, tz)
    name = getattr(fn, "__qualname__", repr(fn))
    if "<" in name:
        raise BadSchedule(
            f"{name} has a schedule and is defined inside a function, where no worker can find "
            "it; move it to the top level of its module"
        )
    if needed := _needed_arguments(fn):
        raise BadSchedule(
            f"{name} has a schedule, which calls it without arguments, but it needs "
            f"{', '.join(needed)}; give defaults, or schedule a function that calls it"
        )
    return Schedule(rule.text, rule.tz, parse_catch_up(catch_up))


def parse_catch_up(word: object) -> CatchUp:
    """Return what becomes of due times that nobody was there for; None: the default.

    Raises:
        BadSchedule: It is no such word.
    """
    if word is None:
        return CatchUp.ONE
    try:
        return CatchUp(word)  # type: ignore[arg-type] # whatever it is, the enum tells
    except ValueError as error:
        raise BadSchedule(
            f"catch_up is one of {', '.join(CatchUp)}: no job for due times that were missed, one "
            f"for the latest of them, or one for each; seen: {word!r:.100}"
        ) from error


def _needed_arguments(fn: Callable[..., Any]) -> list[str]:
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (ValueError, TypeError):
        # Of some functions in C nothing is known.
        return []
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        one.name
        for one in parameters
        if one.default is inspect.Parameter.empty and one.kind not in optional
    ]
