"""Conduct: one run of the demo from the first file to the proof.

submit (idempotent) ─▶ all outcomes there? ── yes ──────────────┐
                           │ no                                 ▼
               workers, mischief, news, until all are there ─▶ figures
"""

import platform
import time
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from typing import Final
from uuid import UUID

from rich.console import Console
from rich.text import Text

from lightwork.cli.demo import anew
from lightwork.cli.demo.crew import Crew, share
from lightwork.cli.demo.figures import Figures, Module, Totals
from lightwork.cli.demo.files import python_files
from lightwork.cli.demo.ledger import Ledger, Snapshot
from lightwork.cli.demo.mischief import Mischief
from lightwork.cli.demo.news import Chronicle, News, Tone
from lightwork.cli.demo.screen import open_screen
from lightwork.cli.demo.tasks import measure
from lightwork.cli.output import printable
from lightwork.cli.program import program_words
from lightwork.durable.executor import DurableExecutor
from lightwork.store.engine import safe_url

_LOOK_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person chose.

    Attributes:
        jobs: Children in all.
        folder: Whose Python files are measured.
        limit: At most so many files; 0: all.
    """

    url: str
    jobs: int
    is_fresh: bool
    kills: bool
    folder: Path
    limit: int


@dataclass(frozen=True, slots=True)
class RunLog:
    """What happened, and how long it took."""

    news: list[News]
    seconds: float


class Interrupted(Exception):  # noqa: N818 - no error: a person wants to stop
    """Ctrl-C; the workers have stopped."""

    def __init__(self, done: int, total: int) -> None:
        super().__init__(done, total)
        self.done = done
        self.total = total


def conduct(options: Options, console: Console) -> Figures:
    """Run the demo, or what is left of it, and return the figures.

    Raises:
        Interrupted: Somebody pressed Ctrl-C.
        UsageError: There are no files, or `--fresh` would harm others.
        StoreError: The store cannot be used.
    """
    files = python_files(options.folder, limit=options.limit)
    key = _choose_key(options, files[0])
    names = _submit(options, files, key)
    with Ledger(options.url, names) as ledger:
        first = ledger.snapshot()
        _say_beginning(console, first, options)
        log = RunLog([], 0.0)
        if first.done < first.total:
            log = _run(options, ledger, first, console)
        return Figures(
            python=platform.python_version(),
            store=safe_url(options.url),
            folder=str(options.folder),
            totals=_totals(ledger, first, log),
            failures=ledger.failures(),
            modules=list(starmap(Module, ledger.reports().items())),
            news=log.news,
            proof=ledger.proof(),
        )


def _choose_key(options: Options, first: Path) -> str:
    if options.is_fresh and anew.is_file(options.url):
        anew.remove_file(options.url)
    with DurableExecutor(options.url) as executor:
        choose = anew.next_number if options.is_fresh else anew.latest_number
        return anew.key_of(choose(executor.store, first))


def _submit(options: Options, files: list[Path], key: str) -> dict[UUID, str]:
    with DurableExecutor(options.url) as executor:
        futures = executor.submit_many(measure, [(str(file),) for file in files], key=key)
    return {
        future.job_id: printable(file.relative_to(options.folder).as_posix())
        for future, file in zip(futures, files, strict=True)
    }


def _say_beginning(console: Console, first: Snapshot, options: Options) -> None:
    store = safe_url(options.url)
    if first.done == first.total:
        begun = f"all {first.total:,} outcomes were there already: nothing to run"
        hint = f"Start anew: {program_words()} demo --fresh, or make demo ARGS=--fresh"
    else:
        begun = f"{first.total:,} Python files, a job each"
        hint = "Interrupt it, or kill -9 any of its processes: run again, it goes on."
        if first.done:
            begun = f"went on: {first.done:,} of {first.total:,} outcomes were there already"
    wrap = not console.is_terminal
    console.print(Text.assemble((begun, "bold"), f"  {store}"), soft_wrap=wrap)
    console.print(Text(hint, "dim"), soft_wrap=wrap)


def _run(options: Options, ledger: Ledger, first: Snapshot, console: Console) -> RunLog:
    screen = open_screen(console, first)
    chronicle = Chronicle(first, screen.tell)
    try:
        with screen, Crew(options.url, share(options.jobs)) as crew:
            mischief = Mischief(crew, chronicle, first, ledger.snapshot)
            now = first
            while now.done < now.total:
                time.sleep(_LOOK_SECONDS)
                now = ledger.snapshot()
                _tell_ended(crew, chronicle)
                if options.kills:
                    mischief.look(now)
                chronicle.update(now)
                screen.show(now, (now.done - first.done) / chronicle.seconds)
            if options.kills:
                mischief.say_missed()
            return RunLog(chronicle.news, chronicle.seconds)
    except KeyboardInterrupt:
        ledger.drop_connections()
        now = ledger.snapshot()
        raise Interrupted(now.done, now.total) from None


def _tell_ended(crew: Crew, chronicle: Chronicle) -> None:
    for member, how, replacement in crew.replace_dead():
        chronicle.add(
            Tone.KILL,
            f"worker {member.name} (pid {member.pid}) {how}, not by this demo; "
            f"started {replacement.name} (pid {replacement.pid}) in its place",
        )


def _totals(ledger: Ledger, first: Snapshot, log: RunLog) -> Totals:
    now = ledger.snapshot()
    return Totals(
        files=now.total,
        jobs=ledger.proof().jobs,
        succeeded=now.done - now.failed,
        failed=now.failed,
        before=first.done,
        attempts=ledger.count_attempts(),
        lost=len(now.lost),
        rescued=sum(lost.is_rescue for lost in now.lost),
        seconds=log.seconds,
    )
