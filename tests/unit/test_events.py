"""Events: who hears of what, and what a listener that goes wrong does to others: nothing."""

import logging
import uuid

import pytest

import lightwork as lw
from lightwork.errors import UsageError
from lightwork.events.kinds import Event
from lightwork.events.lines import is_logged, log_event
from lightwork.events.listeners import KINDS, Listeners
from lightwork.model import ErrorInfo

ERROR = ErrorInfo(type="ValueError", text="no\nmore")


def failed() -> lw.Failed:
    return lw.Failed(job_id=uuid.uuid4(), task="m:f", seq=7, queue="q", attempt=2, error=ERROR)


def quarantined() -> lw.Quarantined:
    return lw.Quarantined(job_id=uuid.uuid4(), error=ERROR)


def test_a_listener_hears_its_kind_and_those_below_it() -> None:
    listeners, heard = Listeners(), list[Event]()
    listeners.add(lw.Failed, heard.append)
    events = [failed(), quarantined(), lw.Cancelled(job_id=uuid.uuid4())]

    for event in events:
        listeners.tell(event)

    assert heard == events[:2]


def test_a_quarantined_job_is_told_to_those_who_listen_to_lost_and_to_all() -> None:
    listeners, heard = Listeners(), list[Event]()
    listeners.add(lw.Lost, heard.append)
    listeners.add(lw.JobEvent, heard.append)
    event = quarantined()

    listeners.tell(event)

    assert heard == [event, event]


def test_where_nobody_listens_nothing_is_heard() -> None:
    listeners = Listeners()
    before = listeners.hears(*KINDS.values())
    end = listeners.add(lw.Failed, print)
    meanwhile = listeners.hears(lw.Failed), listeners.hears(lw.Started)

    end()

    assert not before
    assert meanwhile == (True, False)
    assert not listeners.hears(*KINDS.values())


def test_a_listener_that_raises_is_logged_once_and_the_next_one_hears_all(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(event: Event) -> None:
        raise SystemExit("listener")

    listeners, heard = Listeners(), list[Event]()
    listeners.add(lw.Failed, fail)
    listeners.add(lw.Failed, heard.append)

    for _ in range(3):
        listeners.tell(failed())

    assert len(heard) == 3
    assert [record.getMessage().split()[0] for record in caplog.records] == ["listener_failed"]


@pytest.mark.parametrize("kind", [ValueError, "failed", lw.Failed.word, None])
def test_what_is_no_kind_of_event_is_refused(kind: object) -> None:
    with pytest.raises(UsageError, match=r"expects a class of events, one of .*Failed.*; seen: "):
        Listeners().add(kind, print)  # type: ignore[arg-type]


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(UsageError, match="expects a function"):
        Listeners().add(lw.Failed, "print")  # type: ignore[arg-type]


def test_an_event_is_one_line_of_a_log_and_goes_along_as_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "lightwork.events")
    event = failed()

    log_event(event)
    log_event(lw.Claimed(job_id=event.job_id))

    (record,) = caplog.records
    assert record.getMessage() == (
        f"job_failed job={event.job_id} task=m:f seq=7 queue=q attempt=2 error=ValueError: no"
    )
    assert vars(record)["event"] is event
    assert not is_logged(lw.Claimed)


def test_every_kind_that_is_told_is_public() -> None:
    # `lw.Event` is the primitive: what all kinds have in common needs no name in the face.
    told = KINDS.keys() - {"Event"}

    assert {name for name in told if hasattr(lw, name)} == told
