"""Run: one run of the demo from the first file to the proof.

submit (idempotent) ─▶ all outcomes there? ── yes ──────────────┐
                           │ no                                 ▼
               workers, kills, log lines, until all are there ─▶ figures
"""

import platform
import time
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from lightwork.demo.figures import Figures, find_figures
from lightwork.demo.files import python_files
from lightwork.demo.fresh import remove_file
from lightwork.demo.kills import Kills
from lightwork.demo.ledger import Ledger, Snapshot
from lightwork.demo.log_lines import Chronicle, Kind
from lightwork.demo.screen import Screen
from lightwork.demo.tasks import measure
from lightwork.demo.workers import Workers, share
from lightwork.durable.executor import DurableExecutor
from lightwork.store.urls import safe_url
from lightwork.terminal.output import printable
from lightwork.terminal.program import program_words

_LOOK_SECONDS: Final = 0.1
# Under the same key nothing is submitted twice; what is found depends on the parser.
_KEY: Final = f"demo {platform.python_version()}"


def conduct(
    console: Console, url: str, folder: Path, *, jobs: int, limit: int, is_fresh: bool, kills: bool
) -> Figures:
    """Run the demo, or what is left of it, and return the figures.

    It measures the folder's Python files, at most `limit` (0: all), with `jobs` children in all.

    Raises:
        KeyboardInterrupt: Somebody pressed Ctrl-C; it says how much is done.
        UsageError: There are no files, or `--fresh` would harm others.
        StoreError: The store cannot be used.
    """
    files = python_files(folder, limit=limit)
    names = [printable(file.relative_to(folder).as_posix()) for file in files]
    calls = [(str(file),) for file in files]
    if is_fresh:
        remove_file(url)
    with DurableExecutor(url) as executor:
        ids = [future.job_id for future in executor.submit_many(measure, calls, key=_KEY)]
    # Another one: those futures would be looked after all the time, and nobody waits for them.
    with DurableExecutor(url) as executor:
        ledger = Ledger(executor.store, dict(zip(ids, names, strict=True)))
        first = ledger.snapshot()
        _say_beginning(console, first, url)
        screen = Screen(console, first)
        chronicle = Chronicle(first, screen.tell)
        seconds = 0.0
        if first.done < first.total:
            seconds = _work(Workers(url, share(jobs)), ledger, chronicle, screen, kills=kills)
        futures = executor.submit_many(measure, calls, key=_KEY)
        return find_figures(
            ledger,
            chronicle,
            dict(zip(names, futures, strict=True)),
            store=safe_url(url),
            folder=str(folder),
            seconds=seconds,
        )


def _say_beginning(console: Console, first: Snapshot, url: str) -> None:
    if first.done == first.total:
        begun = f"all {first.total:,} outcomes were there already: nothing to run"
        hint = f"Start anew: {program_words()} demo --fresh, or make demo ARGS=--fresh"
    else:
        begun = f"{first.total:,} Python files, a job each"
        hint = "Interrupt it, or kill -9 any of its processes: run again, it goes on."
        if first.done:
            begun = f"went on: {first.done:,} of {first.total:,} outcomes were there already"
    wrap = not console.is_terminal
    console.print(Text.assemble((begun, "bold"), f"  {safe_url(url)}"), soft_wrap=wrap)
    console.print(Text(hint, "dim"), soft_wrap=wrap)


def _work(
    workers: Workers, ledger: Ledger, chronicle: Chronicle, screen: Screen, *, kills: bool
) -> float:
    """Have all that is left done; return how many seconds that took."""
    killing = Kills(workers, chronicle, ledger.snapshot)
    now = chronicle.first
    try:
        with screen, workers:
            while now.done < now.total:
                time.sleep(_LOOK_SECONDS)
                now = ledger.snapshot()
                for text in workers.replace_dead():
                    chronicle.add(Kind.KILL, text)
                if kills:
                    killing.look(now)
                chronicle.update(now)
                screen.show(now, chronicle.rate(now))
            if kills:
                killing.say_missed()
            return chronicle.seconds
    except KeyboardInterrupt:
        now = ledger.snapshot()
        raise KeyboardInterrupt(f"{now.done:,} of {now.total:,} done; ") from None
