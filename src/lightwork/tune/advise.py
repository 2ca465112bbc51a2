"""Advise: from figures to words: what holds the function back, and what to write. Pure.

Every sentence holds the number that proves it. The first finding is the one that
matters most. The recommendation minimises the time for the whole input, opening the
pool included; within 7 % of the best the simplest wins: inline before threads before
processes, few workers before many, automatic chunks before fixed ones.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from lightwork.terminal.amounts import show_count, show_ratio, show_share, show_size, show_time
from lightwork.tune.figures import INLINE, Kind, Measurements, Row, Run, Setup, fastest

_SIMPLER_WITHIN: Final = 1.07
# Fixed chunks must earn the line that they cost.
_CHUNKS_EARN: Final = 1.15
_GAIN: Final = 1.25
_SMALL_ITEM: Final = 50e-6
_CROWDED: Final = 0.15
_COMMON_LOSS: Final = 0.75
_LONG_ENOUGH: Final = 0.02
_NEARLY_ALWAYS: Final = 0.8
# So many of its runs must beat the loop.
_SURE_SHARE: Final = 0.75
# Items that nobody has.
_ENDLESS: Final = 10**18


# What can hold a function back.
Limit = Literal[
    "unpicklable", "failed", "waiting", "gil", "own threads", "pickling", "too small", "memory",
    "start-up", "crowded", "unknown", "nothing",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found, with the number that proves it."""

    limit: Limit
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What to make of the figures.

    Attributes:
        findings: What holds it back, the most important first; at least one.
        setup: What to use.
        code: The same as a line of code.
        speedup: Against inline, in a warm pool: median, lowest, highest.
        seconds: For the whole input, opening the pool included.
        break_even: From how many items on `pays` is recommended instead of a loop; 0: never.
        pays: The pool that is recommended, or that would be for more items; INLINE: none.
        notes: What limits this advice.
    """

    findings: tuple[Finding, ...]
    setup: Setup
    code: str
    speedup: tuple[float, float, float]
    seconds: float
    break_even: int = 0
    pays: Setup = INLINE
    notes: tuple[str, ...] = ()


def advise(found: Measurements) -> Advice:
    """Return what the figures mean."""
    best = recommended(found) or Row(INLINE, (Run(1, found.inline_seconds),))
    speedup, payer = (best.speedup, best.lowest, best.highest), _payer(found)
    return Advice(
        findings=tuple(findings(found)) or (_nothing(found),),
        setup=best.setup,
        code=_code(found, best.setup, speedup),
        speedup=speedup,
        seconds=total_seconds(found, best),
        break_even=_break_even(found),
        pays=payer.setup if payer else INLINE,
        notes=tuple(_notes(found)),
    )


def recommended(found: Measurements) -> Row | None:
    """Return the simplest of the rows that are fastest for the whole input."""
    rows = [row for row in found.rows if _earns_its_line(found, row)]
    if not rows:
        return None
    shortest = min(total_seconds(found, row) for row in rows)
    good = [row for row in rows if total_seconds(found, row) <= shortest * _SIMPLER_WITHIN]
    return min(good, key=lambda row: row.setup.order)


def _earns_its_line(found: Measurements, row: Row) -> bool:
    if row.setup == INLINE:
        return True
    wins = sum(run.speedup > 1 for run in row.runs)
    if wins < _SURE_SHARE * len(row.runs) or _is_noise(found, row):
        return False
    same = found.row(Setup(row.setup.kind, row.setup.workers))
    is_auto = row.setup.chunksize == "auto"
    # Beyond doubt: its worst run against the best one with automatic chunks.
    return is_auto or (same is not None and row.lowest > same.highest * _CHUNKS_EARN)


def _is_noise(found: Measurements, row: Row) -> bool:
    """Whether a gain cannot be one: the machine was not quiet."""
    if found.is_async:
        return False
    held = found.first_calls.gil if found.first_calls else None
    holds_gil = held is not None and held >= _NEARLY_ALWAYS and cpu_share(found) >= 0.5
    # One worker is never faster than none, nor are threads that wait for one lock.
    return row.setup.workers == 1 or (row.setup.kind == "threads" and holds_gil)


def total_seconds(found: Measurements, row: Row) -> float:
    """Return what the whole input takes: opening the pool, then all items.

    By the speed-up, not by the row's own seconds: that was taken against a run of the
    same moment, so that a machine that slowed down does not count against it.
    """
    # More workers than items have nothing to do.
    speedup = min(row.speedup, max(found.items, 1))
    return found.start_of(row) + found.items * found.inline_seconds / max(speedup, 1e-9)


def _code(found: Measurements, setup: Setup, speedup: tuple[float, float, float]) -> str:
    """Return the line that opens the executor, with the chunk size and the gain."""
    opening = f'lw.executor("{setup.where}")'
    if all(row.setup == INLINE for row in found.rows):
        return f"{opening}  # not compared: no pool was measured"
    if setup.kind == "inline":
        why = "too few items for a pool" if _payer(found) else "no pool was faster"
        return f"{opening}  # or a plain loop: {why}"
    chunks = '"auto"' if setup.chunksize == "auto" else setup.chunksize
    what = "async_calls=100 at a time" if found.is_async else f"chunksize={chunks}"
    median, lowest, highest = map(show_ratio, speedup)
    return f"{opening}  # {what}: {median} ({lowest} to {highest})"


def findings(found: Measurements) -> Iterator[Finding]:
    """Yield what holds the function back, the most important first."""
    if found.pickling is not None and found.pickling.problem:
        yield Finding("unpicklable", f"processes are left out: {found.pickling.problem}")
    yield from _failed(found)
    if found.first_calls is None:
        yield Finding("unknown", "not even one call has ended: nothing is known yet")
        return
    yield from _waiting(found)
    yield from _own_threads(found)
    yield from _pickling(found)
    yield from _too_small(found)
    yield from _gil(found)
    yield from _memory(found)
    yield from _start_up(found)
    yield from _crowded(found)


def cpu_share(found: Measurements) -> float:
    """Return the share of the inline time in which the CPU works; above 1 with own threads."""
    first = found.first_calls
    if first is None:
        return 1.0
    row = found.row(INLINE)
    if row is not None and row.seconds_per_item * len(row.runs) > first.seconds:
        return row.busy / max(1 - row.waited, 0.05)
    return first.cpu / max(first.seconds * (1 - first.waited), 1e-9)


def _failed(found: Measurements) -> Iterator[Finding]:
    reasons: dict[tuple[Kind, str], list[str]] = {}
    for left in found.left_out:
        if left.has_failed:
            reasons.setdefault((left.setup.kind, left.reason), []).append(left.setup.label)
    for (_, reason), names in reasons.items():
        yield Finding("failed", f"{', '.join(names)} failed: {reason}")


def _waiting(found: Measurements) -> Iterator[Finding]:
    share = cpu_share(found)
    if share >= 0.5:
        return
    gain = ""
    best = fastest(found.rows_of("threads"))
    if best is not None and best.speedup > _GAIN:
        many = f"{best.setup.where} wait for {best.setup.workers} at once"
        who = "one event loop waits for many at once" if found.is_async else many
        gain = f"; {who}: {show_ratio(best.speedup)}"
    yield Finding("waiting", f"it waits: the CPU works {show_share(share)} of the time{gain}")


def _own_threads(found: Measurements) -> Iterator[Finding]:
    row = found.row(INLINE)
    # Shorter ones measure the clocks.
    is_long = row is not None and row.seconds_per_item * row.runs[0].items > _LONG_ENOUGH
    share = row.busy if row is not None and is_long else 0.0
    if share > 1.3:
        yield Finding(
            "own threads",
            f"it keeps {share:.1f} CPUs busy by itself (BLAS, or programs that it runs): "
            "limit its own threads to 1, then tune again",
        )


def _pickling(found: Measurements) -> Iterator[Finding]:
    pickling = found.pickling
    if pickling is None or pickling.problem or pickling.seconds < 5e-6:
        return
    share = pickling.seconds / (pickling.seconds + found.inline_seconds)
    if share < 0.25:
        return
    alone = next(iter(found.rows_of("processes")), None)
    proof = f"; {alone.setup.where} reaches {show_ratio(alone.speedup)}" if alone else ""
    yield Finding(
        "pickling",
        f"travelling costs {show_share(share)} of the time: {show_time(pickling.seconds)} to pickle "
        f"and load {show_size(pickling.argument_bytes)} of argument and "
        f"{show_size(pickling.result_bytes)} of result, {show_time(found.inline_seconds)} to compute"
        f"{proof}",
    )


def _too_small(found: Measurements) -> Iterator[Finding]:
    seconds = found.inline_seconds
    pickling = found.pickling
    if seconds >= _SMALL_ITEM or (pickling and pickling.seconds >= 5e-6):
        return
    single = next((row for row in found.rows if row.setup.chunksize == 1), None)
    proof = ""
    if single is not None:
        proof = f"; one by one {single.setup.where} takes {show_time(single.seconds_per_item)} each"
        auto = found.row(Setup(single.setup.kind, single.setup.workers))
        if auto is not None:
            proof += f', with chunksize="auto" {show_time(auto.seconds_per_item)}'
    yield Finding("too small", f"an item is only {show_time(seconds)} of work{proof}")


def _gil(found: Measurements) -> Iterator[Finding]:
    held = found.first_calls.gil if found.first_calls else None
    if held is None or held < 0.5 or cpu_share(found) < 0.5:
        return
    best = fastest(row for row in found.rows_of("threads") if row.setup.workers > 1)
    # Held nearly always, it is what limits; a gain of threads is then the noise of the machine.
    if best is not None and best.speedup > _GAIN and held < _NEARLY_ALWAYS:
        return
    proof = f" and {best.setup.where} give {show_ratio(best.speedup)}" if best is not None else ""
    if best is not None and best.speedup > _GAIN:
        proof += ", which is the noise of this machine"
    yield Finding("gil", f"the GIL: it is held {show_share(held)} of the time{proof}")


def _memory(found: Measurements) -> Iterator[Finding]:
    rows = [row for row in found.rows_of("processes") if row.setup.workers <= found.cpus]
    if len(rows) < 2 or rows[0].setup.workers != 1:
        return
    first, last = rows[0], rows[-1]
    travel = found.pickling.seconds if found.pickling else 0.0
    if travel > 0.25 * found.inline_seconds or not first.cpu_per_item or last.waited > _CROWDED:
        return
    workers = last.setup.workers
    growth = last.cpu_per_item / first.cpu_per_item
    stops = last.speedup < _COMMON_LOSS * workers * min(first.speedup, 1.0)
    if stops and last.busy > 0.8 * workers and growth > 1.2:
        top = fastest(rows) or last
        yield Finding(
            "memory",
            f"memory bandwidth, or CPUs that are halves of one core: scaling stops at "
            f"{top.setup.where} ({show_ratio(top.speedup)}); at {last.setup.where} {last.busy:.1f} CPUs "
            f"are busy, but an item takes {show_ratio(growth)} the CPU time that it takes alone",
        )


def _start_up(found: Measurements) -> Iterator[Finding]:
    best = _payer(found)
    work = found.inline_seconds * found.items
    if best is None or best.speedup <= _GAIN or found.start_of(best) < 0.5 * work:
        return
    least = _break_even(found)
    pays = f"; it pays from {least:,} items on" if least > found.items else ""
    yield Finding(
        "start-up",
        f"start-up: the {show_count(found.items, 'item')} of the input take {show_time(work)}, opening "
        f"{best.setup.where} takes {show_time(found.start_of(best))}{pays}",
    )


def _crowded(found: Measurements) -> Iterator[Finding]:
    # With as many workers as CPUs nobody would have to wait if the machine were ours.
    rows = [row for row in found.rows if row.setup.workers <= found.cpus]
    most = max(rows, key=lambda row: row.waited, default=None)
    if most is not None and most.waited > _CROWDED:
        yield Finding(
            "crowded",
            f"other programs: {most.setup.where} had no CPU for {show_share(most.waited)} of the "
            "time; on a quiet machine the gain of processes may be larger",
        )


def _nothing(found: Measurements) -> Finding:
    best = fastest(found.rows)
    if best is None or best.setup == INLINE:
        return Finding("unknown", "no pool was measured: give it more time, --seconds")
    return Finding(
        "nothing",
        f"nothing: {best.setup.where} give {show_ratio(best.speedup)} on {show_count(found.cpus, 'CPU')}",
    )


def _payer(found: Measurements) -> Row | None:
    """Return the pool that is recommended, or the one that would be for enough items."""
    best = recommended(found)
    if best is not None and best.setup != INLINE:
        return best
    rows = [row for row in found.rows if row.setup != INLINE and _earns_its_line(found, row)]
    fast = fastest(rows)
    return fast if fast is not None and fast.speedup > _SIMPLER_WITHIN else None


def _break_even(found: Measurements) -> int:
    """Return from how many items on a pool is recommended instead of a loop; 0: never.

    On the side of `found.items` on which the recommendation is.
    """
    payer = _payer(found)
    if payer is None or not found.inline_seconds:
        return 0

    def pays(items: int) -> bool:
        seconds = total_seconds(replace(found, items=items), payer)
        return seconds * _SIMPLER_WITHIN < items * found.inline_seconds

    least = bisect_left(range(1, _ENDLESS), True, key=pays) + 1
    return min(least, found.items) if payer is recommended(found) else max(least, found.items + 1)


def _notes(found: Measurements) -> Iterator[str]:
    if not found.is_complete:
        yield "interrupted: this is what was measured until then"
    missing = [left.setup.label for left in found.left_out if not left.has_failed]
    if missing and found.is_complete:
        yield f"no time was left for {', '.join(missing)}; more: --seconds"
    shaky = [row for row in found.rows if row.highest > 1.5 * max(row.lowest, 1e-9)]
    if shaky:
        yield f"the runs of {', '.join(row.setup.label for row in shaky)} differ by more than half"
    if any(len(row.runs) == 1 for row in found.rows):
        yield "some figures stand on a single run; more: --seconds"
    best = recommended(found)
    if best is not None and best.setup.workers > found.items:
        yield f"with {show_count(found.items, 'item')} only as many workers have something to do"
    is_most = best is not None and best in found.rows_of("threads")[-1:]
    if best is not None and is_most and not found.is_async and cpu_share(found) < 0.5:
        yield f"{best.setup.where} was the most that was tried; more may give more"
    first = found.first_calls
    if first is not None and first.first > 10 * first.seconds and first.first > 0.05:
        yield f"the very first call took {show_time(first.first)}: every new child pays that too"
