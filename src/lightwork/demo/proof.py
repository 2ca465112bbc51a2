"""Proof: every file has exactly one recorded outcome, counted by the database itself."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session

from lightwork.model import State
from lightwork.store.orm import Attempt, Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was counted.

    Attributes:
        files: Files that were found on disk.
        jobs: Jobs that the store has of them.
        distinct: Different ids among those jobs.
        outcomes: Jobs in a final state that say how they ended: a result or an error.
        contradictions: Attempts that ended otherwise than their job, or after it.
        holds: Whether every file has exactly one recorded outcome.
    """

    files: int
    jobs: int
    distinct: int
    outcomes: int
    contradictions: int
    holds: bool

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
    recorded = func.coalesce(func.sum(case((_has_outcome(), 1), else_=0)), 0)
    counted = select(func.count(), func.count(Job.id.distinct()), recorded).where(ours)
    jobs, distinct, outcomes = session.execute(counted).one()
    contradictions = sum(session.execute(one.where(ours)).scalar_one() for one in _contradictions())
    return Proof(
        files=files,
        jobs=jobs,
        distinct=distinct,
        outcomes=outcomes,
        contradictions=contradictions,
        holds={jobs, distinct, outcomes} == {files} and not contradictions,
    )


def _has_outcome() -> ColumnElement[bool]:
    has_result, has_error = Job.result.is_not(None), Job.error_type.is_not(None)
    succeeded = and_(Job.state == State.SUCCEEDED, has_result, ~has_error)
    failed = and_(Job.state == State.FAILED, ~has_result, has_error)
    return and_(Job.finished_at.is_not(None), or_(succeeded, failed))


def _contradictions() -> tuple[Select[int], Select[int]]:
    # `attempt` keeps the ends that were not successes: that of a job which succeeded
    # lies before its last attempt, that of one which failed is its last.
    is_last = Attempt.number == Job.attempt
    is_late = or_(Attempt.number > Job.attempt, and_(is_last, Job.state == State.SUCCEEDED))
    late = select(func.count()).select_from(Attempt).join(Job, Job.seq == Attempt.seq)
    last = select(Attempt.seq).where(Attempt.seq == Job.seq, is_last)
    unexplained = select(func.count()).select_from(Job)
    return late.where(is_late), unexplained.where(Job.state == State.FAILED, ~last.exists())
