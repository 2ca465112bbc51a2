"""View: schedules as lists and JSON show them. Pure, but for the present in ages."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from lightwork.model import Lane
from lightwork.tasks.names import short_name
from lightwork.terminal.amounts import show_duration
from lightwork.terminal.output import one_line, plain, plain_view
from lightwork.terminal.table import Cell, Column
from lightwork.work.unserved import why_unserved

if TYPE_CHECKING:
    from lightwork.schedule.rules import Rule
    from lightwork.store.views import ScheduleView, WorkerView

# Due times that JSON tells of each.
_TOLD: Final = 5
COLUMNS: Final = (
    Column(title="NAME", keeps_end=True),
    Column(title="STATE", is_whole=True),
    Column(title="SPEC", is_whole=True),
    Column(title="TZ", from_width=90),
    Column(title="NEXT", is_number=True, is_whole=True),
    Column(title="LAST", is_number=True, is_whole=True),
    Column(title="TASK", keeps_end=True, from_width=110),
    Column(title="NOTE"),
)
_COLOURS: Final = {"active": "green", "paused": "yellow", "over": "bright_black", "broken": "red"}


def state_of(view: "ScheduleView") -> str:
    """Return a word: active, paused, over (never due again), broken (its times cannot be told)."""
    if view.problem:
        return "broken"
    if view.paused_at is not None:
        return "paused"
    return "over" if view.next_at is None else "active"


def row(view: "ScheduleView", workers: "Sequence[WorkerView]") -> list[Cell]:
    """Return a line of the list."""
    state = state_of(view)
    return [
        Cell(one_line(short_name(view.name))),
        Cell(state, _COLOURS[state]),
        Cell(one_line(view.spec)),
        Cell(one_line(view.tz)),
        Cell(_left(view, view.next_at)),
        Cell("" if view.last_at is None else _ago(view, view.last_at)),
        Cell(one_line(short_name(view.task))),
        Cell(one_line(_note(view, workers)), "red" if view.problem else "yellow"),
    ]


def document(view: "ScheduleView") -> dict[str, Any]:
    """Return it as JSON holds it, with its next due times."""
    found = plain_view(view)
    times = [] if view.problem else [at.astimezone(UTC) for at in coming_times(view, _TOLD)]
    return found | {"state": state_of(view), "next": plain(times)}


def coming_times(view: "ScheduleView", count: int) -> Iterator[datetime]:
    """Yield due times, by the clock of the schedule's zone; of a paused one as if it went on now.

    Raises:
        BadSchedule: They cannot be told here.
    """
    from lightwork.schedule.turns import coming

    rule = _rule(view)
    now = _milliseconds(view.read_at)
    first = rule.next_after(now, now) if view.next_at is None else _milliseconds(view.next_at)
    zone = _zone(view)
    for at in coming(rule, first, count):
        yield datetime.fromtimestamp(at / 1000, zone)


def when_text(view: "ScheduleView", at: datetime) -> str:
    """Return a due time as people read it."""
    shown = f"{at:%a %Y-%m-%d %H:%M:%S %Z}"
    left = (at - view.read_at).total_seconds()
    return f"{shown}  {f'in {show_duration(left)}' if left > 0 else 'now'}"


def _rule(view: "ScheduleView") -> "Rule":
    from lightwork.schedule.rules import parse_rule

    return parse_rule(view.spec, None if view.tz == "UTC" else view.tz)


def _zone(view: "ScheduleView") -> Any:
    import zoneinfo

    return UTC if view.tz == "UTC" else zoneinfo.ZoneInfo(view.tz)


def _milliseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)


def _left(view: "ScheduleView", at: datetime | None) -> str:
    if at is None:
        return ""
    left = (at - view.read_at).total_seconds()
    return f"in {show_duration(left)}" if left > 0 else "now"


def _ago(view: "ScheduleView", at: datetime) -> str:
    return f"{show_duration((view.read_at - at).total_seconds())} ago"


def _note(view: "ScheduleView", workers: "Sequence[WorkerView]") -> str:
    if view.problem:
        return view.problem
    return why_unserved(Lane(view.policy.queue, view.task), workers)
