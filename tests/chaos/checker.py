"""Checker: what submitters, workers and the tables say of one another, once all is quiet.

It reads the tables with statements of its own, and histories: what submitters know (`kept`,
`never`) and which attempts have begun. Nothing of it is lightwork's, but the codec of results.

    kept        is there                        never       is not there
    there       was sent, and has one outcome   attempts    grow, and do not overlap
    begun       no attempt of a job twice       recorded    by the attempt that has begun
"""

import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, NullPool, create_engine, text

from chaos.history import read_history

JOBS = """
    SELECT job.seq, job.id, outcome.state, outcome.attempt, outcome.failures, outcome.crashes,
        outcome.started_at, outcome.finished_at
    FROM job LEFT JOIN outcome ON outcome.seq = job.seq ORDER BY job.seq
"""
ATTEMPTS = "SELECT seq, number, started_at, ended_at, outcome FROM attempt ORDER BY seq, number"
LEFT = ("blocked", "scheduled", "ready", "running")


@dataclass(slots=True)
class Submitted:
    """What the submitters know."""

    sent: set[bytes] = field(default_factory=set)
    kept: set[bytes] = field(default_factory=set)
    never: set[bytes] = field(default_factory=set)


@dataclass(slots=True)
class Report:
    """What there is, and what is wrong with it."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def expect(self, condition: object, word: str) -> None:
        if not condition and len(self.wrong) < 20:
            self.wrong.append(word)

    def __str__(self) -> str:
        return " ".join(f"{name}={count}" for name, count in self.counts.items())


def check(url: str, folder: Path) -> Report:
    """Compare the histories in the folder with the tables."""
    report = Report()
    told = submitted(folder)
    begun = Counter((words[0], int(words[1])) for words in read_history(folder / "runs"))
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        _compare(report, connection, told, begun)
        for name in LEFT:
            count = connection.scalar(text(f"SELECT count(*) FROM {name}"))
            report.expect(count == 0, f"{count} jobs are {name} still")
    for (job_id, number), runs in begun.items():
        report.expect(runs == 1, f"attempt {number} of {job_id} has begun {runs} times")
    report.counts["runs"] = begun.total()
    return report


def submitted(folder: Path) -> Submitted:
    told = Submitted()
    for path in folder.glob("*.history"):
        for word, *rest in read_history(path):
            match word:
                case "sent":
                    told.sent.update(map(bytes.fromhex, rest[1:]))
                case "kept":
                    told.kept.update(map(bytes.fromhex, rest))
                case "never":
                    told.never.update(map(bytes.fromhex, rest))
    return told


def _compare(
    report: Report, connection: Connection, told: Submitted, begun: Counter[tuple[str, int]]
) -> None:
    counts = report.counts
    counts["sent"], counts["kept"] = len(told.sent), len(told.kept)
    counts["rolled_back"] = len(told.never)
    found: set[bytes] = set()
    lost = _lost_attempts(report, connection)
    for row in connection.execution_options(yield_per=1000).execute(text(JOBS)):
        job_id = bytes(row.id)
        name = str(uuid.UUID(bytes=job_id))
        report.expect(job_id not in found, f"{name} is there twice")
        found.add(job_id)
        counts[f"{row.state}"] += 1
        report.expect(row.state == "succeeded", f"{name} is {row.state}")
        if row.state is None:
            continue
        report.expect(
            (name, row.attempt) in begun, f"{name} ended by {row.attempt}, which never ran"
        )
        mine = lost.get(row.seq, [])
        report.expect(row.crashes == len(mine), f"{name}: {row.crashes} crashes, {len(mine)} lost")
        report.expect(row.failures == 0, f"{name} has failed")
        _check_order(report, name, [*mine, (row.attempt, row.started_at, row.finished_at)])
    report.expect(told.kept <= found, f"{len(told.kept - found)} acknowledged jobs are lost")
    report.expect(not told.never & found, f"{len(told.never & found)} undone jobs are there")
    report.expect(found <= told.sent, f"{len(found - told.sent)} jobs were never submitted")
    counts["found"] = len(found)
    counts["crashes"] = sum(map(len, lost.values()))


def _lost_attempts(report: Report, connection: Connection) -> dict[int, list[tuple[int, int, int]]]:
    lost: dict[int, list[tuple[int, int, int]]] = {}
    for row in connection.execute(text(ATTEMPTS)):
        report.expect(row.outcome == "lost", f"attempt {row.number} of {row.seq} is {row.outcome}")
        lost.setdefault(row.seq, []).append((row.number, row.started_at, row.ended_at))
    return lost


def _check_order(report: Report, name: str, attempts: list[tuple[int, int, int]]) -> None:
    """Each attempt has a greater number than that before, and begins after its end."""
    before = (0, 0, 0)
    for each in attempts:
        report.expect(each[0] > before[0], f"{name}: attempt {each[0]} follows {before[0]}")
        report.expect(each[1] >= before[2], f"{name}: two attempts at once, {before} and {each}")
        before = each


def watch_running(connection: Connection, seen: dict[int, tuple[int, bytes]]) -> Iterator[str]:
    """Look once at what runs; yield what is wrong, compared with earlier looks."""
    for seq, number, worker in connection.execute(text("SELECT seq, attempt, worker FROM running")):
        before = seen.get(seq)
        seen[seq] = (number, bytes(worker))
        if before is None:
            continue
        if number < before[0]:
            yield f"job {seq}: attempt {number} after {before[0]}"
        if number == before[0] and bytes(worker) != before[1]:
            yield f"job {seq}: two workers have attempt {number}"
