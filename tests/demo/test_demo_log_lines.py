"""News are told once, in words, and from what the store shows."""

import dataclasses
import uuid
from datetime import UTC, datetime

import pytest

from lightwork.demo.ledger import LostAttempt, Snapshot
from lightwork.demo.log_lines import Chronicle, News, say_jobs
from lightwork.model import State
from lightwork.store.views import WorkerView

WORKER = WorkerView(
    id=uuid.uuid4(),
    name="demo-2",
    host="here",
    pid=4711,
    slots=1,
    queues=("demo",),
    tasks=(),
    state="dead",
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    heartbeat_at=datetime(2026, 1, 1, tzinfo=UTC),
    lease_until=datetime(2026, 1, 1, tzinfo=UTC),
    is_live=False,
    running=0,
)
BEFORE = Snapshot(
    total=9,
    done=3,
    failed=0,
    running={},
    begun={},
    workers={WORKER.id: WORKER},
    lost=[],
)
CHILD_DIED = "the child one (pid 12) was killed by SIGKILL while it ran measure"
RESCUED = "worker demo-2 stopped renewing its lease during attempt 1; it died"


def lost(text: str, *, file: str = "spam.py", state: State = State.READY) -> LostAttempt:
    return LostAttempt(
        job_id=uuid.uuid5(WORKER.id, file),
        file=file,
        number=1,
        worker=WORKER.id,
        ended_at=int(WORKER.heartbeat_at.timestamp() * 1000) + 2100,
        text=text,
        state=state,
        attempt=1 + (state is not State.READY),
        crashes=1,
    )


def after(*attempts: LostAttempt) -> Snapshot:
    return dataclasses.replace(BEFORE, lost=list(attempts))


@pytest.fixture
def told() -> list[News]:
    return []


@pytest.fixture
def chronicle(told: list[News]) -> Chronicle:
    return Chronicle(BEFORE, told.append)


def test_an_attempt_lost_with_its_child_is_told_once(
    chronicle: Chronicle, told: list[News]
) -> None:
    chronicle.update(after(lost(CHILD_DIED)))
    chronicle.update(after(lost(CHILD_DIED)))

    (news,) = told
    assert news.text == (
        "attempt 1 of spam.py was lost with its child: crash 1 of 10, it may run again"
    )


def test_the_outcome_of_a_lost_job_is_told_when_the_store_has_it(
    chronicle: Chronicle, told: list[News]
) -> None:
    chronicle.update(after(lost(CHILD_DIED)))

    chronicle.update(after(lost(CHILD_DIED, state=State.SUCCEEDED)))

    assert told[-1].text == "spam.py succeeded in attempt 2"


def test_a_rescue_tells_the_worker_its_silence_and_its_jobs(
    chronicle: Chronicle, told: list[News]
) -> None:
    files = [lost(RESCUED, file=f"{name}.py") for name in "abcde"]

    chronicle.update(after(*files))

    (news,) = told
    assert news.text == (
        "demo-2 (pid 4711) was found dead, 2.1 s after its last heartbeat; "
        "rescued: 5 jobs (a.py, b.py, c.py and 2 more)"
    )


def test_rescued_jobs_are_reported_together_when_the_last_is_done(
    chronicle: Chronicle, told: list[News]
) -> None:
    half = [lost(RESCUED, file="a.py", state=State.FAILED), lost(RESCUED, file="b.py")]
    chronicle.update(after(*half))

    chronicle.update(after(half[0], lost(RESCUED, file="b.py", state=State.SUCCEEDED)))

    assert len(told) == 2
    assert told[-1].text == "each of the 2 rescued jobs has its outcome, in attempt 2"


def test_what_was_lost_before_the_run_is_no_news(told: list[News]) -> None:
    chronicle = Chronicle(after(lost(CHILD_DIED)), told.append)

    chronicle.update(after(lost(CHILD_DIED, state=State.SUCCEEDED)))

    assert told == []


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ((), "no job"),
        (("a.py",), "1 job (a.py)"),
        (("a.py", "b.py", "c.py"), "3 jobs (a.py, b.py, c.py)"),
    ],
)
def test_jobs_are_counted_and_named(files: tuple[str, ...], words: str) -> None:
    assert say_jobs(files) == words


def test_a_run_that_goes_on_counts_its_own_share_only(chronicle: Chronicle) -> None:
    now = dataclasses.replace(BEFORE, done=6)

    assert chronicle.share_done(now) == 0.5
