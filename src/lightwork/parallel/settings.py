"""Settings: what was typed after `lightwork map`, and which of it makes no sense together.

Numbers of jobs and loads are typed as GNU parallel has them. Pure, but for the number of CPUs.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lightwork.errors import UsageError
from lightwork.parallel.gate import GateRules
from lightwork.parallel.halt import Halt, parse_halt
from lightwork.parallel.sources import Source, check_sources
from lightwork.pool.executor.cpus import usable_cpus
from lightwork.terminal.amounts import parse_size

MOST_JOBS: Final = 1024
_JOBS: Final = re.compile(r"([+-]?)([0-9]{1,6}(?:\.[0-9]{1,3})?)(%?)")
# What --load 0 means in GNU parallel.
_NO_LOAD: Final = 0.01
_TABLES: Final = (".csv", ".tsv", ".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class MapSettings:
    """What was typed; the names are those of the options."""

    command: str
    sources: list[Source]
    jobs: str
    null: bool
    colsep: str
    group: int | None
    shuf: bool
    pipe: bool
    block: str
    recend: str
    keep_order: bool
    line_buffer: bool
    joblog: str
    results: str
    resume: bool
    resume_failed: bool
    halt: str
    timeout: float
    retries: int | None
    delay: float
    load: str
    memfree: str
    dry_run: bool
    tag: bool
    bar: bool
    eta: bool
    shell: bool
    func: bool
    where: str
    url: str
    key: str
    json: bool
    quiet: bool

    @property
    def slots(self) -> int:
        """How many jobs run here at a time; 0: all of them elsewhere."""
        cpus = usable_cpus()
        return parse_jobs(self.jobs, cpus) if self.jobs else cpus

    @property
    def resumes(self) -> bool:
        """Whether what was done before is left out."""
        return self.resume or self.resume_failed

    @property
    def halt_rule(self) -> Halt:
        """When to stop early."""
        return parse_halt(self.halt)

    @property
    def gate_rules(self) -> GateRules:
        """When jobs may be started."""
        return GateRules(
            delay=self.delay,
            load=parse_load(self.load, usable_cpus()),
            memfree=_size("--memfree", self.memfree),
        )

    @property
    def block_bytes(self) -> int:
        """About how much of standard input a job gets."""
        return max(_size("--block", self.block), 1)

    @property
    def record_end(self) -> bytes:
        """What ends a record of standard input."""
        if self.null:
            return b"\0"
        # As it is typed between quotes: '\\n' is a line end.
        return self.recend.encode().decode("unicode_escape").encode("latin-1", "replace")


def check(settings: MapSettings) -> None:
    """Raise unless what was typed makes sense together.

    Raises:
        UsageError: It does not; the text says what does.
    """
    check_sources(settings.sources)
    # Each reads what was typed, and refuses what it cannot.
    _ = settings.halt_rule, settings.gate_rules, settings.block_bytes
    for problem in _problems(settings):
        raise UsageError(problem)


def _problems(settings: MapSettings) -> Iterator[str]:
    if settings.url and not settings.func:
        yield (
            "--url keeps jobs of functions (--func MODULE:FUNCTION): run the command here with "
            "--joblog and --resume, or keep commands by lw.executor(url).map(lw.Command.template("
            "[...]), values) for a worker with --allow-commands"
        )
    if not settings.url and settings.slots == 0:
        yield (
            "-j 0 leaves the jobs to the workers of a store: name it with --url; here say how "
            "many run at a time, such as -j 100"
        )
    if settings.resumes and not (settings.joblog or settings.url):
        yield "--resume needs to know what was done: name the --joblog of then"
    if settings.resumes and settings.shuf and not settings.url:
        yield "--resume finds jobs by their number, which --shuf changes: say one of them"
    if settings.line_buffer and settings.keep_order:
        yield "--line-buffer shows lines as they come, -k in the order of the inputs: say one of them"
    if settings.line_buffer and settings.json:
        yield "--line-buffer shows lines as they come, --json a job in one object: say one of them"
    if settings.func and (settings.line_buffer or settings.pipe):
        yield "--line-buffer and --pipe are for commands; a function has no standard input"
    is_of_files = all(source.is_files for source in settings.sources)
    if settings.pipe and (len(settings.sources) > 1 or not is_of_files):
        yield "--pipe reads standard input or one file (-a FILE), no values"
    if settings.pipe and settings.colsep:
        yield "--pipe parts what it reads into blocks, which have no columns"
    if settings.pipe and not settings.record_end:
        yield "--pipe cannot part its input after nothing: say --recend '\\n', or another text"
    if settings.results.endswith(_TABLES) or settings.results == "-":
        yield "--results keeps outputs in folders; for a table use --joblog FILE or --json"


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


def _amount(found: re.Match[str], cpus: int) -> float:
    number = float(found[2]) * cpus / 100 if found[3] else float(found[2])
    return {"": number, "+": cpus + number, "-": cpus - number}[found[1]]


def _size(option: str, text: str) -> int:
    try:
        return parse_size(text) if text else 0
    except ValueError as error:
        raise UsageError(f"{option} {text}: {error}") from error
