"""Status view: a store at a glance, drawn as lines of text."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.text import Text

from lightwork.cli.status.rates import Rates
from lightwork.model import State
from lightwork.store.views import DRAINING, MOST_COUNTED, NOT_POLLING, Summary, WorkerView
from lightwork.terminal.amounts import show_duration
from lightwork.terminal.output import STATE_COLOURS, draw_bar, one_line, printable, seconds_since

_BAR_WIDTH: Final = 20
_MOST_WORKERS: Final = 12
_MOST_QUEUES: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
    """What `lightwork status` shows; `reached_in` is in seconds."""

    store: str
    reached_in: float
    summary: Summary
    rates: Rates
    workers: Sequence[WorkerView]
    problems: Sequence[str]


def draw(view: StatusView) -> Text:
    """Return one screen of text."""
    return Text("\n").join(_lines(view))


def _lines(view: StatusView) -> Iterator[Text]:
    summary = view.summary
    yield _field("store", f"{view.store}, reached in {show_duration(view.reached_in)}")
    yield _field("workers", f"{summary.live_workers} live, {summary.running} of {summary.slots} slots busy")  # fmt: skip
    for worker in view.workers[:_MOST_WORKERS]:
        yield _worker(worker)
    yield from _more(len(view.workers) - _MOST_WORKERS)
    yield _field("jobs", str(sum(summary.states.values())))
    yield from _states(summary.states)
    yield _field("queues", str(len(summary.queues)))
    for name, states in list(summary.queues.items())[:_MOST_QUEUES]:
        limit = summary.limits.get(name, 0)
        yield _queue(name, states, is_paused=name in summary.paused, limit=limit)
    yield from _more(len(summary.queues) - _MOST_QUEUES)
    oldest = summary.oldest_ready
    waited = f"for {show_duration(oldest)} at most" if summary.states[State.READY] else "nothing"
    yield _field("waiting", waited)
    yield from _rates(view.rates)
    yield from _health(view.problems)


def _field(label: str, text: str) -> Text:
    return Text.assemble((f"{label:<9}", "bold"), printable(text))


def _worker(worker: WorkerView) -> Text:
    age = show_duration(max(seconds_since(worker.heartbeat_at), 0.0))
    word, style = ("live", "green") if worker.is_live else ("lost", "red")
    if worker.is_live and worker.state in (DRAINING, NOT_POLLING):
        word, style = worker.state, "yellow"
    text = (
        f" {one_line(worker.name)}  {worker.running}/{worker.slots} busy  heartbeat {age} ago"
        f"  queues {', '.join(worker.queues)}"
    )
    return Text.assemble("  ", (word, style), printable(text))


def _states(states: Mapping[State, int]) -> Iterator[Text]:
    most = max(states.values(), default=0)
    for state, count in states.items():
        # What is always there keeps its place on a screen that is drawn again and again.
        bar = draw_bar(count / most, _BAR_WIDTH) if most else ""
        shown = _counted(state, count)
        yield Text.assemble(f"  {state:<10}{shown:>9}  ", (bar, STATE_COLOURS[state]))


def _counted(state: State, count: int) -> str:
    """Return a number of jobs; of those that are not finished there may be more."""
    return f"{count}+" if count > MOST_COUNTED and not state.is_final else str(count)


def _queue(name: str, states: Mapping[State, int], *, is_paused: bool, limit: int) -> Text:
    counts = ", ".join(
        f"{_counted(state, states[state])} {state}" for state in State if states.get(state)
    )
    word = ("paused ", "yellow") if is_paused else ""
    is_full = 0 < limit <= states.get(State.RUNNING, 0)
    bound = f"limit {limit}{' (full)' if is_full else ''}, " if limit else ""
    return Text.assemble(f"  {one_line(name)}: ", word, bound, counts)


def _rates(rates: Rates) -> Iterator[Text]:
    if not (rates.done or rates.lost):
        return
    lost = f", {rates.lost:.3g} attempts lost" if rates.lost else ""
    since = show_duration(rates.seconds)
    yield _field(
        "rates", f"{rates.done:.3g} jobs a minute, {rates.failed:.3g} failed{lost}; in {since}"
    )
    yield _field(
        "",
        f"ran {show_duration(rates.run_p50)}, 95 % within {show_duration(rates.run_p95)}; "
        f"waited {show_duration(rates.wait_p50)}, 95 % within {show_duration(rates.wait_p95)}",
    )


def _more(count: int) -> Iterator[Text]:
    if count > 0:
        yield Text(f"  and {count} more")


def _health(problems: Sequence[str]) -> Iterator[Text]:
    if not problems:
        yield Text.assemble(("health   ", "bold"), ("good", "green"))
        return
    for problem in problems:
        yield Text.assemble(("wrong    ", "bold red"), printable(problem))
