"""Figures: all that is said at the end, as data; `document` is the JSON."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from lightwork.cli.demo.ledger import Failure
from lightwork.cli.demo.news import News
from lightwork.cli.demo.proof import Proof
from lightwork.cli.demo.tasks import Report

LISTED: Final = 10
SLOWEST: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The run as a whole.

    Attributes:
        before: Outcomes that the store had when this run began.
        attempts: Attempts that have ended, of all runs together; so are those below.
        lost: Of these, how many ended because a child or a worker died.
        rescued: Of these, how many were ended by a rescue: their worker's lease ran out.
        seconds: How long this run took; 0: nothing was left to run.
    """

    files: int
    jobs: int
    succeeded: int
    failed: int
    before: int
    attempts: int
    lost: int
    rescued: int
    seconds: float

    @property
    def jobs_per_second(self) -> float:
        """Jobs that this run brought to their outcome, by its seconds."""
        return (self.jobs - self.before) / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Module:
    """A file that was measured."""

    file: str
    report: Report

    @property
    def density(self) -> float:
        """Branches for each 100 lines."""
        return 100 * self.report.branches / max(self.report.lines, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything; `folder` is where the files were found."""

    python: str
    store: str
    folder: str
    totals: Totals
    failures: list[Failure]
    modules: list[Module]
    news: list[News]
    proof: Proof

    @property
    def largest(self) -> list[Module]:
        """The modules with most lines."""
        return sorted(self.modules, key=lambda module: -module.report.lines)[:LISTED]

    @property
    def most_branching(self) -> list[Module]:
        """The modules with most branches."""
        return sorted(self.modules, key=lambda module: -module.report.branches)[:LISTED]

    @property
    def slowest(self) -> list[tuple[str, str, int, float]]:
        """File, function, line and milliseconds of the functions slowest to parse."""
        functions = [
            (module.file, slow.name, slow.line, slow.milliseconds)
            for module in self.modules
            for slow in module.report.slowest
        ]
        return sorted(functions, key=lambda function: -function[3])[:SLOWEST]


def document(figures: Figures) -> dict[str, Any]:
    """Return all figures as one JSON document."""
    totals = figures.totals
    return {
        "python": figures.python,
        "store": figures.store,
        "folder": figures.folder,
        **{name: value for name, value in asdict(totals).items() if name != "seconds"},
        "seconds": round(totals.seconds, 3),
        "jobs_per_second": round(totals.jobs_per_second, 1),
        "lines": sum(module.report.lines for module in figures.modules),
        "functions": sum(module.report.functions for module in figures.modules),
        "classes": sum(module.report.classes for module in figures.modules),
        "branches": sum(module.report.branches for module in figures.modules),
        "failures": [asdict(failure) for failure in figures.failures],
        "largest": [_module(module) for module in figures.largest],
        "most_branching": [_module(module) for module in figures.most_branching],
        "slowest": [
            {"file": file, "function": name, "line": line, "milliseconds": round(taken, 3)}
            for file, name, line, taken in figures.slowest
        ],
        "events": [
            {"at": round(news.at, 3), "kind": news.tone.value, "text": news.text}
            for news in figures.news
        ],
        "proof": asdict(figures.proof) | {"holds": figures.proof.holds},
    }


def _module(module: Module) -> dict[str, Any]:
    report = module.report
    return {
        "file": module.file,
        "lines": report.lines,
        "functions": report.functions,
        "classes": report.classes,
        "branches": report.branches,
        "branches_per_100_lines": round(module.density, 1),
    }
