"""Proof: every file has exactly one recorded outcome, counted by the database itself."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session

from lightwork.model import FINAL_STATES, State
from lightwork.store.reading import Attempt, Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was counted.

    Attributes:
        files: Files that were found on disk.
        jobs: Jobs that the store has of them.
        distinct: Different ids among those jobs.
        outcomes: Jobs in a final state that say how they ended: a result or an error.
        contradictions: Attempts that ended otherwise than their job, or after it.
    """

    files: int
    jobs: int
    distinct: int
    outcomes: int
    contradictions: int

    @property
    def holds(self) -> bool:
        """Whether every file has exactly one recorded outcome."""
        counts = {self.files, self.jobs, self.distinct, self.outcomes}
        return len(counts) == 1 and not self.contradictions

    @property
    def text(self) -> str:
        """The proof in one line."""
        counted = f"{self.files:,} files, {self.jobs:,} jobs, {self.outcomes:,} recorded outcomes"
        if self.holds:
            return f"{counted}: each exactly one."
        return (
            f"{counted}, {self.jobs - self.distinct:,} jobs twice, "
            f"{self.contradictions:,} contradictions: the proof does not hold."
        )


def find_proof(session: Session, ours: ColumnElement[bool], *, files: int) -> Proof:
    """Count, over the jobs that `ours` selects."""
    counted = select(
        func.count(),
        func.count(Job.id.distinct()),
        func.coalesce(func.sum(case((_has_outcome(), 1), else_=0)), 0),
    ).where(ours)
    jobs, distinct, outcomes = session.execute(counted).one()
    return Proof(
        files=files,
        jobs=jobs,
        distinct=distinct,
        outcomes=outcomes,
        contradictions=_contradictions(session, ours),
    )


def _has_outcome() -> ColumnElement[bool]:
    return and_(
        Job.state.in_(FINAL_STATES),
        Job.finished_at.is_not(None),
        or_(
            and_(Job.state == State.SUCCEEDED, Job.result.is_not(None), Job.error_type.is_(None)),
            and_(Job.state == State.FAILED, Job.result.is_(None), Job.error_type.is_not(None)),
        ),
    )


def _contradictions(session: Session, ours: ColumnElement[bool]) -> int:
    # `attempt` keeps the ends that were not successes: that of a job which succeeded
    # lies before its last attempt, that of one which failed is its last.
    after_the_end = or_(
        Attempt.number > Job.attempt,
        and_(Attempt.number == Job.attempt, Job.state == State.SUCCEEDED),
    )
    attempts = select(func.count()).select_from(Attempt).join(Job, Job.seq == Attempt.seq)
    last = select(Attempt.seq).where(Attempt.seq == Job.seq, Attempt.number == Job.attempt)
    unexplained = (
        select(func.count()).select_from(Job).where(Job.state == State.FAILED, ~last.exists())
    )
    wrong = session.scalar(attempts.where(ours, after_the_end)) or 0
    return wrong + (session.scalar(unexplained.where(ours)) or 0)
