"""The table, the contract and the client name the same methods; what travels comes back as it was."""

import inspect
import uuid
from typing import Any

import pytest

from lightwork.errors import (
    DuplicateJob,
    Error,
    StoreError,
    StoreUnavailable,
    UsageError,
)
from lightwork.lifecycle import (
    AttemptEnd,
    Cancelled,
    Failed,
    Forfeited,
    Lost,
    Quarantined,
    Released,
    Retried,
    Snoozed,
    Succeeded,
)
from lightwork.model import Attempt, ErrorInfo, Policy
from lightwork.net.client.client import ServerStore
from lightwork.net.wire import forms, media
from lightwork.net.wire.failures import Failure, error_of, failure_of
from lightwork.net.wire.methods import METHODS
from lightwork.net.wire.shapes import shape_of
from lightwork.store.contract import Store

# What the client does by itself, each for the reason that its docstring says.
BY_HAND = {
    *(
        "submit_nowait",
        "renew_all",
        "renewed_by_waiting",
        "cancel_nowait",
        "submit_on",
        "note_commit",
        "leave",
        "has_dead",
        "sweep",
    ),
    *("changes", "wait_for_change", "hurry", "close"),
}
ERROR = ErrorInfo(type="ValueError", text="no", traceback="Traceback")
ENDS: list[AttemptEnd] = [
    Succeeded(b"r"),
    Retried(ERROR, 2.5),
    Snoozed(1.5),
    Failed(ERROR),
    Cancelled(),
    Released(),
    Lost(ERROR),
    Forfeited(),
    Quarantined(ERROR),
]


def contract() -> set[str]:
    return {name for name, _ in inspect.getmembers(Store, inspect.isfunction) if name[0] != "_"}


def test_every_method_of_the_contract_is_in_the_table_or_done_by_the_client_itself() -> None:
    assert contract() == METHODS.keys() | BY_HAND


def test_every_method_of_the_table_is_one_of_the_client() -> None:
    assert [name for name in METHODS if not callable(getattr(ServerStore, name, None))] == []


@pytest.mark.parametrize("name", METHODS)
def test_every_request_and_result_can_be_read_in_both_languages(name: str) -> None:
    shape = shape_of(name)

    for kind in (media.MSGPACK, media.JSON):
        media._decoder(shape.request, kind)
        media._decoder(shape.result, kind)


@pytest.mark.parametrize("end", ENDS, ids=lambda end: type(end).__name__)
def test_ends_come_back_as_they_were(end: AttemptEnd) -> None:
    body = media.encode(forms.end_form(end), media.MSGPACK)

    assert forms.end_of(media.decode(body, forms.End, media.MSGPACK)) == end


def test_an_end_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="no end of an attempt"):
        forms.end_of(forms.End("promoted"))


def test_the_pickled_exception_of_an_error_never_travels() -> None:
    secret = b"cposix\nsystem\n"
    end = Failed(ErrorInfo(type="E", text="no", packed=secret))

    body = media.encode(forms.end_form(end), media.MSGPACK)

    assert secret not in body


def attempt(policy: Policy) -> Attempt:
    return Attempt(job_id=uuid.uuid4(), seq=1, number=1, task="m:f", payload=b"p", policy=policy)


def test_attempts_of_one_policy_share_it_on_the_other_side() -> None:
    common, other = Policy(retries=3), Policy(queue="other")
    sent = [attempt(common), attempt(other), attempt(common)]

    body = media.encode(forms.claimed(sent), media.MSGPACK)
    got = forms.attempts_of(media.decode(body, forms.Claimed, media.MSGPACK))

    assert got == sent
    assert got[0].policy is got[2].policy
    assert body.count(b"retry_on") == 2


@pytest.mark.parametrize(
    "error",
    [
        UsageError("no"),
        StoreUnavailable("later"),
        DuplicateJob("there", job_id="1"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_come_back_as_they_were(error: Error) -> None:
    _, failure = failure_of(error)
    body = media.encode(failure, media.MSGPACK)

    got = error_of(media.decode(body, Failure, media.MSGPACK))

    assert (type(got), str(got), vars(got)) == (type(error), str(error), vars(error))


@pytest.mark.parametrize("kind", ["SystemExit", "os.system", "ValueError", "Error", ""])
def test_no_name_from_the_network_chooses_a_class(kind: str) -> None:
    assert type(error_of(Failure(kind, "text"))) is StoreError


def test_a_defect_of_the_server_says_nothing_of_its_inside(caplog: Any) -> None:
    status, failure = failure_of(ValueError("password=hunter2"))

    assert (status, failure.kind) == (500, "StoreError")
    assert "hunter2" not in failure.text
    assert "hunter2" in caplog.text
