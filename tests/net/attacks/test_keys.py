"""Who has no key, too little of one, or what somebody else has signed."""

import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.runs import SCRIPT, run
from lightwork.codec import Codec, Subject
from lightwork.durable.ids import new_job_id
from lightwork.errors import AuthError, UsageError
from lightwork.model import Lane, NewJob, State
from lightwork.net.client.client import ServerStore
from lightwork.net.keys.unauthorized import TEXT
from lightwork.net.wire.about import ABOUT, CHANGES, HELLO, PROOF
from lightwork.net.wire.methods import METHODS
from lightwork.store.contracts.primitives import Request, SessionInfo
from lightwork.store.primitives.kinds import packed, primitive_id, unpacked
from net.attacks.conftest import Attacked
from net.attacks.raw import request, said_to, session_of, signed
from net.processes.serving import serving
from net.server.asked import ask
from store.steps import new_job

pytestmark = pytest.mark.process

SUBMIT = "/v1/jobs"


def submission(task: str = "m:f") -> tuple[uuid.UUID, bytes]:
    job_id = uuid.uuid4()
    return job_id, json.dumps({"task": task, "id": str(job_id)}).encode()


def test_without_a_key_everything_is_refused_in_one_text(attacked: Attacked) -> None:
    paths = [ABOUT, CHANGES, SUBMIT, "/v1/nothing", "/", *(one.path for one in METHODS.values())]
    session = session_of(attacked.url, attacked.key("admin"))
    proof = session.sign("POST", SUBMIT.encode(), b"", b"{}")
    stranger = {name: value.replace(session.id, "A" * 22) for name, value in proof.items()}

    got = [ask(attacked.url, "POST", path, {}) for path in paths]
    got += [
        ask(attacked.url, "POST", SUBMIT, {}, headers)
        for headers in (stranger, proof | {"Signature": "lw1=:AAAA:"})
    ]
    got += [ask(attacked.url, "POST", path, {"key_id": "x"}) for path in (HELLO, PROOF)]

    assert {(one.status, one.body["text"]) for one in got} == {(401, TEXT)}


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("short", 0o600, "5 bytes"),
        ("x" * 40, 0o640, "chmod 600"),
        (None, 0, "cannot be read"),
    ],
)
def test_a_weak_key_file_serves_nothing(
    tmp_path: Path, text: str | None, mode: int, said: str
) -> None:
    key = tmp_path / "a.key"
    if text is not None:
        key.write_text(text)
        key.chmod(mode)

    done = run(
        *("serve", "sqlite:///work.db", "--bind", "127.0.0.1:0", "--authkey-file", "a.key"),
        folder=tmp_path,
    )

    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "work.db").exists()


def test_what_was_recorded_on_the_wire_is_worth_nothing(attacked: Attacked) -> None:
    session = session_of(attacked.url, attacked.key("submit"))
    first, second = (signed(session, SUBMIT, submission("m:recorded")[1]) for _ in range(2))
    head, _, body = first.partition(b"\r\n\r\n")
    other_head, _, other_body = second.partition(b"\r\n\r\n")
    _, third = submission("m:recorded")

    # In another order than they were signed in, as on several connections.
    assert [said_to(attacked.url, one) for one in (second, first)] == [[200], [200]]
    assert [said_to(attacked.url, one) for one in (first, second)] == [[401], [401]]
    for forged in (
        other_head + b"\r\n\r\n" + body,
        head + b"\r\n\r\n" + other_body,
        head.replace(b"POST /v1/jobs", b"POST /v1/jobs?x=1") + b"\r\n\r\n" + body,
        head.replace(b"POST", b"GET", 1) + b"\r\n\r\n" + body,
        signed(session, SUBMIT, body)[: -len(body)] + third,
    ):
        assert said_to(attacked.url, forged) == [401]
    with attacked.store() as store:
        assert len(store.jobs(task="m:recorded")) == 2


def test_half_a_request_does_nothing(attacked: Attacked) -> None:
    session = session_of(attacked.url, attacked.key("submit"))
    job_id, body = submission()
    whole = signed(session, SUBMIT, body)

    for size in (1, len(whole) // 2, len(whole) - len(body), len(whole) - 1):
        assert said_to(attacked.url, whole[:size], ends=True) == []
    with attacked.store("view") as store:
        assert store.job(job_id) is None
    # None of them has used the number that stands in it.
    assert said_to(attacked.url, whole) == [200]


def test_of_who_has_proved_nothing_little_is_read(attacked: Attacked) -> None:
    session = session_of(attacked.url, attacked.key("submit"))
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n"
    named = "Signature-Input: " + session.sign("POST", b"/", b"", b"")["Signature-Input"] + "\r\n"

    for path in (HELLO, PROOF, SUBMIT, "/healthz"):
        assert said_to(attacked.url, head % (path.encode(), b"", 4097)) == [413]
    # Not even of who names a session is more read than a server takes at all.
    assert said_to(attacked.url, head % (b"/v1/jobs", named.encode(), (128 << 20) + 1)) == [413]
    for deep in (b'{"key_id":' + b"[" * 4000, b"[" * 4096):
        assert said_to(attacked.url, request(HELLO, deep)) == [401]


def test_a_session_is_of_one_server(attacked: Attacked, tmp_path: Path) -> None:
    (tmp_path / "a.key").write_bytes(attacked.authkey)
    (tmp_path / "a.key").chmod(0o600)
    session = session_of(attacked.url, attacked.key("admin"))

    with serving(tmp_path, "--authkey-file", "a.key") as (other, _):
        assert said_to(other, signed(session, "/v1/store/queues")) == [401]
    assert said_to(attacked.url, signed(session, "/v1/store/queues")) == [200]


def test_a_key_of_one_role_does_nothing_of_another(attacked: Attacked) -> None:
    job = new_job()
    acts: list[tuple[ServerStore, str, Callable[[], object]]]
    with attacked.store("submit") as submitting, attacked.store("work") as working:
        acts = [
            (working, "work", lambda: working.submit([job])),
            (working, "work", lambda: working.cancel([job.id])),
            (working, "work", lambda: working.pause("default")),
            (submitting, "submit", lambda: _claim(submitting)),
            (submitting, "submit", lambda: submitting.ack(uuid.uuid4(), [])),
            (submitting, "submit", submitting.jobs),
            (submitting, "submit", lambda: submitting.purge("default")),
        ]
        for store, role, act in acts:
            with pytest.raises(AuthError, match=f"role {role}"):
                act()
            # It is refused this, and not unknown from then on.
            assert store.states([job.id]) == {}


def test_only_an_admin_takes_a_lock_from_its_holder(attacked: Attacked) -> None:
    lock = primitive_id("lock", "till")
    holder, other = (
        Request(session=uuid.uuid4(), thread=1, number=1, primitive=lock) for _ in "ab"
    )
    with attacked.store("work") as working, attacked.store("admin") as admin:
        working.open_primitive("lock", "till", packed((False,)), is_named=True)
        for one in (holder, other):
            working.open_session(SessionInfo(id=one.session, host="here", pid=1), lease=60.0)
        assert working.ask_primitive(holder, "try", packed(())).outcome == "answered"

        with pytest.raises(AuthError, match="role work may not take a lock"):
            working.ask_primitive(other, "break", packed(()))

        assert unpacked(admin.ask_primitive(other, "break", packed(())).value) is True


def _claim(store: ServerStore) -> object:
    return store.claim(uuid.uuid4(), lanes=[Lane("default", "m:f")], limit=1)


class Evil:
    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.marker,)


def test_a_pickle_is_loaded_only_of_who_has_the_key_itself(attacked: Attacked) -> None:
    (attacked.folder / "script.py").write_text(SCRIPT)
    derived = attacked.key("submit").secret
    ids = []
    with attacked.store("submit") as store:
        for number, signer in enumerate((b"k" * 32, derived, attacked.authkey)):
            subject = Subject(new_job_id(), "script:square")
            evil = Evil(str(attacked.folder / f"loaded-{number}"))
            payload = Codec(authkey=signer).encode_call(subject, (evil,), {})
            ids.append(subject.job_id)
            store.submit([NewJob(id=subject.job_id, task=subject.task, payload=payload)])

    done = run(
        *("worker", attacked.url, "-m", "script", "-j", "1", "--burst", "--authkey-file", "a.key"),
        folder=attacked.folder,
    )

    assert done.returncode == 0, done.stderr
    with attacked.store("view") as store:
        outcomes = store.outcomes(ids)
    assert {outcome.state for outcome in outcomes.values()} == {State.FAILED}
    errors = [outcomes[one].error for one in ids]
    assert [error is not None and error.type.endswith("PayloadError") for error in errors] == [
        True,
        True,
        False,
    ]
    # The third is signed by who may run anything here.
    assert sorted(path.name for path in attacked.folder.glob("loaded-*")) == ["loaded-2"]


def test_who_submits_a_policy_that_nobody_can_read_hears_that_it_was_his(
    attacked: Attacked,
) -> None:
    job = new_job(queue="", priority=2**40)

    with attacked.store("submit") as store, pytest.raises(UsageError) as refused:
        store.submit([new_job(), job])

    words = f"the holder of submit.x has asked to keep job {job.id} of task "
    assert words in str(refused.value)
    with attacked.store() as store:
        assert store.job(job.id) is None
