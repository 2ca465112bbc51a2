"""Measure: the whole measurement; what was found so far can be asked for at any time.

    first calls ─▶ pickling ─▶ rounds of scaling setups ─▶ rounds of chunk sizes

A setup that fails (a child dies, a result cannot be loaded, the function raises
there and only there) is left out from then on, with its reason; the others go on.
If the function raises inline as well, the measurement ends: there is nothing to compare.
"""

import time
from collections.abc import Callable
from typing import Final

from lightwork.cli.tune.figures import (
    INLINE,
    FirstCalls,
    LeftOut,
    Measurements,
    Pickling,
    Row,
    Run,
    Setup,
)
from lightwork.cli.tune.plan import (
    ROUNDS_MAX,
    SCALING_SHARE,
    START_ASSUMED,
    Cost,
    async_setups,
    chunk_setups,
    expected_seconds,
    is_known_well_enough,
    items_for,
    items_per_run,
    order_of_round,
    scaling_setups,
)
from lightwork.cli.tune.probe import first_calls, pickling_of
from lightwork.cli.tune.target import Target
from lightwork.cli.tune.trial import Trial, TrialError, run_trial
from lightwork.errors import Error
from lightwork.tasks import Task

# Of the time, for the calls from which everything else is planned.
_FIRST_SHARE: Final = 0.05
_FIRST_SECONDS_MIN: Final = 0.1
# A run that takes so many times what was expected is ended early.
_PATIENCE: Final = 3
_NO_TIME: Final = "no time was left"

Tell = Callable[[str], None]


class Measuring:
    """One measurement; `found()` is valid before, during and after `run()`.

    Args:
        target: What is measured.
        seconds: How long it may take; a slow call can make it longer.
        cpus: How many this process may use.
        tell: Is told what is being done.
    """

    def __init__(self, target: Target, *, seconds: float, cpus: int, tell: Tell) -> None:
        self._target = target
        self._seconds = seconds
        self._cpus = cpus
        self._tell = tell
        self._started = time.perf_counter()
        self._first: FirstCalls | None = None
        self._pickling: Pickling | None = None
        self._planned: dict[Setup, list[Run]] = {}
        self._failed: dict[Setup, str] = {}
        # Of a whole run, opening included: what the next one will take.
        self._took: dict[Setup, float] = {}
        self._cold_start = 0.0
        self._is_complete = False

    def run(self) -> Measurements:
        """Measure until there is no time left.

        Raises:
            RaisedOnInput: The function raised.
        """
        results = self._call_first()
        self._tell("pickling")
        self._pickling = pickling_of(self._target, results)
        del results
        self._run_stage(self._scaling_setups(), self._left() * SCALING_SHARE)
        if not (_has_limits(self._target.fn) or self._target.is_async):
            self._run_stage(chunk_setups(self.found(), self._cost()), self._left())
        self._is_complete = True
        return self.found()

    def found(self) -> Measurements:
        """Return what is known by now."""
        return Measurements(
            function=self._target.name,
            items=len(self._target.items),
            cpus=self._cpus,
            first_calls=self._first,
            pickling=self._pickling,
            rows=tuple(
                Row(setup=setup, runs=tuple(runs))
                for setup, runs in sorted(self._planned.items(), key=lambda item: item[0].order)
                if runs
            ),
            left_out=tuple(
                LeftOut(setup, self._failed.get(setup, _NO_TIME), setup in self._failed)
                for setup, runs in self._planned.items()
                if setup in self._failed or not runs
            ),
            cold_start=self._cold_start,
            seconds=time.perf_counter() - self._started,
            is_complete=self._is_complete,
            is_async=self._target.is_async,
        )

    def _left(self) -> float:
        return self._seconds - (time.perf_counter() - self._started)

    def _call_first(self) -> list[object]:
        self._tell("first calls, inline")
        seconds = max(self._seconds * _FIRST_SHARE, _FIRST_SECONDS_MIN)

        def keep(found: FirstCalls) -> None:
            self._first = found

        return first_calls(self._target, seconds, keep)

    def _scaling_setups(self) -> list[Setup]:
        has_processes = self._pickling is not None and not self._pickling.problem
        if self._target.is_async:
            return async_setups(self._cpus, has_processes=has_processes)
        return scaling_setups(
            self._cpus,
            is_waiting=self._cost().is_waiting,
            has_processes=has_processes,
        )

    def _run_stage(self, setups: list[Setup], seconds: float) -> None:
        for setup in setups:
            self._planned.setdefault(setup, [])
        deadline = time.perf_counter() + seconds
        items = items_per_run(self._cost(), setups=len(setups), time_left=seconds)
        if is_known_well_enough(self._cost(), items, seconds):
            self._take_first_calls()
            setups = [setup for setup in setups if setup != INLINE]
        self._took.clear()
        for number in range(ROUNDS_MAX):
            for setup in order_of_round(setups, number):
                if setup not in self._failed and self._fits(setup, items, deadline):
                    self._run(setup, items, number)

    def _take_first_calls(self) -> None:
        first, runs = self._first, self._planned[INLINE]
        if first is not None and not runs:
            runs.append(
                Run(
                    items=1,
                    seconds=first.seconds,
                    speedup=1.0,
                    cpu=first.cpu,
                    waited=first.waited,
                )
            )

    def _fits(self, setup: Setup, items: int, deadline: float) -> bool:
        expected = self._took.get(setup) or self._expected(setup, items)
        return time.perf_counter() + expected <= deadline

    def _expected(self, setup: Setup, items: int) -> float:
        cost = self._cost()
        return expected_seconds(setup, items_for(setup, items, cost), cost)

    def _run(self, setup: Setup, items: int, number: int) -> None:
        self._tell(f"round {number + 1}: {setup.label}")
        trial = Trial(
            setup=setup,
            items=items_for(setup, items, self._cost()),
            item_seconds=self._cost().inline,
            inline_seconds=self._latest_inline(),
            seconds_max=_PATIENCE * self._expected(setup, items),
        )
        started = time.perf_counter()
        try:
            run = run_trial(trial, self._target)
        except TrialError as problem:
            self._failed[setup] = self._reason(problem)
        except (Error, RuntimeError, OSError) as error:
            if setup == INLINE:
                raise
            self._failed[setup] = _say(error)
        else:
            self._planned[setup].append(run)
            if setup.kind == "processes" and not self._cold_start:
                self._cold_start = run.start
            self._took[setup] = time.perf_counter() - started

    def _reason(self, problem: TrialError) -> str:
        """Say why a map ended early, if it is not the function itself.

        Raises:
            RaisedOnInput: The function raises inline too.
        """
        error = problem.error
        if isinstance(error, Error | TimeoutError):
            return _say(error)
        item = self._target.items[problem.position % len(self._target.items)]
        try:
            self._target.call(item)
        except (Exception, SystemExit) as same:
            raise self._target.blame(problem.position, same) from same
        line = self._target.lines[problem.position % len(self._target.items)]
        return f"{_say(error)}, on line {line} of the input, which does not happen inline"

    def _cost(self) -> Cost:
        runs = self._planned.get(INLINE)
        starts = [
            run.start
            for setup, runs in self._planned.items()
            for run in runs
            if setup.kind == "processes"
        ]
        first = self._first or FirstCalls(first=0.0, seconds=0.0, cpu=0.0)
        return Cost(
            inline=runs[0].seconds / runs[0].items if runs else first.seconds,
            travel=self._pickling.seconds if self._pickling else 0.0,
            start=max(starts, default=START_ASSUMED),
            is_waiting=first.cpu < 0.5 * first.seconds * (1 - first.waited),
        )

    def _latest_inline(self) -> float:
        runs = self._planned.get(INLINE)
        return runs[-1].seconds / runs[-1].items if runs else self._cost().inline


def _has_limits(fn: object) -> bool:
    # Such a task always runs one item per call.
    return isinstance(fn, Task) and bool(fn.policy.timeout or fn.policy.max_memory)


def _say(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
