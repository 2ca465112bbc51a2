"""Settings: what was typed after `lightwork map`, and which of it makes no sense together."""

from dataclasses import dataclass

from lightwork.cli.options import DEFAULT_URL, is_url
from lightwork.cli.parallel.amounts import parse_jobs, parse_load, parse_size
from lightwork.cli.parallel.gate import GateRules
from lightwork.cli.parallel.halt import Halt, parse_halt
from lightwork.cli.parallel.sources import Source, check_sources
from lightwork.errors import UsageError
from lightwork.pool.cpus import usable_cpus

_TABLES = (".csv", ".tsv", ".json")


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
            memfree=parse_size("--memfree", self.memfree),
        )

    @property
    def block_bytes(self) -> int:
        """About how much of standard input a job gets."""
        return max(parse_size("--block", self.block), 1)

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
    if settings.url:
        _check_durable(settings)
    elif settings.slots == 0:
        raise UsageError(
            "-j 0 leaves the jobs to the workers of a store: name it with --url; here say how "
            "many run at a time, such as -j 100"
        )
    for problem in _problems(settings):
        raise UsageError(problem)


def _check_durable(settings: MapSettings) -> None:
    if not is_url(settings.url):
        raise UsageError(f"--url {settings.url}: not the URL of a store; expected {DEFAULT_URL}")
    if not settings.func:
        raise UsageError(
            "--url keeps jobs of functions (--func MODULE:FUNCTION); commands in a store are "
            "not there yet: run the command here with --joblog and --resume, or call it from "
            "a task with lw.Command"
        )


def _problems(settings: MapSettings) -> list[str]:
    is_of_files = all(source.is_files for source in settings.sources)
    known = {
        "--resume needs to know what was done: name the --joblog of then": (
            settings.resumes and not (settings.joblog or settings.url)
        ),
        "--resume finds jobs by their number, which --shuf changes: say one of them": (
            settings.resumes and settings.shuf and not settings.url
        ),
        "--line-buffer shows lines as they come, -k in the order of the inputs: say one of them": (
            settings.line_buffer and settings.keep_order
        ),
        "--line-buffer shows lines as they come, --json a job in one object: say one of them": (
            settings.line_buffer and settings.json
        ),
        "--line-buffer and --pipe are for commands; a function has no standard input": (
            settings.func and (settings.line_buffer or settings.pipe)
        ),
        "--pipe reads standard input or one file (-a FILE), no values": (
            settings.pipe and (len(settings.sources) > 1 or not is_of_files)
        ),
        "--pipe parts what it reads into blocks, which have no columns": (
            settings.pipe and bool(settings.colsep)
        ),
        "--pipe cannot part its input after nothing: say --recend '\\n', or another text": (
            settings.pipe and not settings.record_end
        ),
        "--results keeps outputs in folders; for a table use --joblog FILE or --json": (
            settings.results.endswith(_TABLES) or settings.results == "-"
        ),
    }
    return [text for text, is_wrong in known.items() if is_wrong]
