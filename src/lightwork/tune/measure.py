"""Measure: the whole measurement; what was found so far can be asked for at any time.

    first calls ─▶ pickling ─▶ rounds of scaling setups ─▶ rounds of chunk sizes

A setup that fails (a child dies, a result cannot be loaded, the function raises
there and only there) is left out from then on, with its reason; the others go on.
If the function raises inline as well, the measurement ends: there is nothing to compare.
"""

import time
from collections.abc import Callable
from typing import Final

from lightwork.errors import Error
from lightwork.tasks.task import Task
from lightwork.tune import figures, plan
from lightwork.tune.figures import INLINE, Measurements, Run, Setup
from lightwork.tune.probe import first_calls, pickling_of
from lightwork.tune.target import Target, say
from lightwork.tune.trial import TrialError, run_trial

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
        self._first: figures.FirstCalls | None = None
        self._pickling: figures.Pickling | None = None
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
        self._probe()
        self._run_stage(self._scaling_setups(), self._left() * plan.SCALING_SHARE)
        if not (_has_limits(self._target.fn) or self._target.is_async):
            self._run_stage(plan.chunk_setups(self.found(), self._cost()), self._left())
        self._is_complete = True
        return self.found()

    def found(self) -> Measurements:
        """Return what is known by now."""
        runs = sorted(self._planned.items(), key=lambda planned: planned[0].order)
        return Measurements(
            function=self._target.name,
            items=len(self._target.items),
            cpus=self._cpus,
            first_calls=self._first,
            pickling=self._pickling,
            rows=tuple(figures.Row(setup, tuple(found)) for setup, found in runs if found),
            left_out=tuple(
                figures.LeftOut(setup, self._failed.get(setup, _NO_TIME), setup in self._failed)
                for setup, found in self._planned.items()
                if setup in self._failed or not found
            ),
            cold_start=self._cold_start,
            seconds=time.perf_counter() - self._started,
            is_complete=self._is_complete,
            is_async=self._target.is_async,
        )

    def _left(self) -> float:
        return self._seconds - (time.perf_counter() - self._started)

    def _probe(self) -> None:
        self._tell("first calls, inline")
        results: list[object] = []
        seconds = max(self._seconds * _FIRST_SHARE, _FIRST_SECONDS_MIN)
        for found in first_calls(self._target, seconds, results):
            # Kept also when a later call is interrupted.
            self._first = found
        self._tell("pickling")
        self._pickling = pickling_of(self._target, results)

    def _scaling_setups(self) -> list[Setup]:
        has_processes = self._pickling is not None and not self._pickling.problem
        if self._target.is_async:
            return plan.async_setups(self._cpus, has_processes=has_processes)
        is_waiting = self._cost().is_waiting
        return plan.scaling_setups(self._cpus, is_waiting=is_waiting, has_processes=has_processes)

    def _run_stage(self, setups: list[Setup], seconds: float) -> None:
        for setup in setups:
            self._planned.setdefault(setup, [])
        deadline = time.perf_counter() + seconds
        items = plan.items_per_run(self._cost(), setups=len(setups), time_left=seconds)
        if self._cost().inline * items > plan.INLINE_SHARE * seconds:
            self._take_first_calls()
            setups = [setup for setup in setups if setup != INLINE]
        self._took.clear()
        for number in range(plan.ROUNDS_MAX):
            for setup in plan.order_of_round(setups, number):
                if setup in self._failed:
                    continue
                count = plan.items_for(setup, items, self._cost())
                expected = plan.expected_seconds(setup, count, self._cost())
                if time.perf_counter() + (self._took.get(setup) or expected) <= deadline:
                    self._tell(f"round {number + 1}: {setup.label}")
                    self._run(setup, count, _PATIENCE * expected)

    def _take_first_calls(self) -> None:
        first, runs = self._first, self._planned[INLINE]
        if first is not None and not runs:
            runs.append(Run(1, first.seconds, first.cpu, first.waited, speedup=1.0))

    def _run(self, setup: Setup, items: int, seconds_max: float) -> None:
        started = time.perf_counter()
        inline = self._planned.get(INLINE)
        try:
            run = run_trial(
                setup,
                self._target,
                items=items,
                inline_seconds=inline[-1].seconds_per_item if inline else self._cost().inline,
                seconds_max=seconds_max,
            )
        except TrialError as problem:
            self._failed[setup] = self._reason(setup, problem)
        except (Error, RuntimeError, OSError) as error:
            self._failed[setup] = say(error)
        else:
            self._planned[setup].append(run)
            if setup.kind == "processes" and not self._cold_start:
                self._cold_start = run.start
            self._took[setup] = time.perf_counter() - started

    def _reason(self, setup: Setup, problem: TrialError) -> str:
        """Say why a map ended early, if it is not the function itself.

        Raises:
            RaisedOnInput: The function raises inline too.
        """
        error, target = problem.error, self._target
        if setup == INLINE:
            raise target.blame(problem.position, error) from error
        if isinstance(error, Error | TimeoutError):
            return say(error)
        index = problem.position % len(target.items)
        try:
            target.call(target.items[index])
        except (Exception, SystemExit) as same:
            raise target.blame(index, same) from same
        return f"{say(error)}, on line {target.lines[index]} of the input, which does not happen inline"

    def _cost(self) -> plan.Cost:
        inline = self._planned.get(INLINE)
        opened = [runs for setup, runs in self._planned.items() if setup.kind == "processes"]
        first = self._first or figures.FirstCalls(first=0.0, seconds=0.0, cpu=0.0)
        return plan.Cost(
            inline=inline[0].seconds_per_item if inline else first.seconds,
            travel=self._pickling.seconds if self._pickling else 0.0,
            start=max((run.start for runs in opened for run in runs), default=plan.START_ASSUMED),
            is_waiting=first.cpu < 0.5 * first.seconds * (1 - first.waited),
        )


def _has_limits(fn: object) -> bool:
    # Such a task always runs one item per call.
    return isinstance(fn, Task) and bool(fn.policy.timeout or fn.policy.max_memory)
