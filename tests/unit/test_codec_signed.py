"""Signed pickles: nothing is loaded before its signature was found right."""

import hashlib
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lightwork.codec import Codec, Subject
from lightwork.codec.payload import SIGNED as SIGNED_FORM
from lightwork.codec.signing import Purpose, sign
from lightwork.errors import PayloadError, UsageError
from lightwork.net.keys.keyring import derive

KEY = b"0123456789abcdef"
JOB = Subject(uuid.UUID(int=1), "mail:send")
OTHER_JOB = Subject(uuid.UUID(int=2), "mail:send")
OTHER_TASK = Subject(JOB.job_id, "mail:drop")
PURPOSES: tuple[Purpose, ...] = ("call", "result")
PLAIN = Codec()
SIGNED = Codec(authkey=KEY)


class Thing:
    def __init__(self, n: int) -> None:
        self.n = n


class Trap:
    """Leaves a file behind when its pickle is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.path),))


class Reluctant:
    def __reduce__(self) -> Any:
        raise RuntimeError("not today")


class Unloadable:
    def __reduce__(self) -> Any:
        return (int, ("no number",))


@dataclass
class Item:
    name: str


def flip(payload: bytes, position: int) -> bytes:
    return payload[:position] + bytes([payload[position] ^ 1]) + payload[position + 1 :]


def test_an_arbitrary_object_travels_with_a_key() -> None:
    payload = SIGNED.encode_call(JOB, (Thing(3),), {"b": Thing(4)})

    (one,), kwargs = SIGNED.decode_call(JOB, payload)

    assert (one.n, kwargs["b"].n) == (3, 4)


def test_an_arbitrary_result_travels_with_a_key() -> None:
    payload = SIGNED.encode_result(JOB, Thing(3))

    assert SIGNED.decode_result(JOB, payload).n == 3


def test_an_arbitrary_object_is_refused_without_a_key() -> None:
    with pytest.raises(PayloadError, match="set an authkey"):
        PLAIN.encode_call(JOB, (Thing(3),), {})


def test_a_typed_value_without_annotation_travels_with_a_key() -> None:
    payload = SIGNED.encode_call(JOB, (Item("a"),), {})

    assert SIGNED.decode_call(JOB, payload) == ((Item("a"),), {})


def test_a_function_by_value_travels_with_a_key() -> None:
    offset = 2
    payload = SIGNED.encode_call(JOB, (lambda n: n + offset,), {})

    (add,), _ = SIGNED.decode_call(JOB, payload)

    assert add(1) == 3


def test_plain_data_is_not_pickled_although_there_is_a_key() -> None:
    payload = SIGNED.encode_call(JOB, ((1, 2),), {})

    assert PLAIN.decode_call(JOB, payload) == (((1, 2),), {})


def test_a_class_of_main_travels_to_another_program(tmp_path: Path) -> None:
    script = tmp_path / "sender.py"
    script.write_text(
        "import sys, uuid\n"
        "from lightwork.codec import Codec, Subject\n"
        "class Mine:\n"
        "    def double(self, n):\n"
        "        return 2 * n\n"
        "codec = Codec(authkey=b'0123456789abcdef')\n"
        "subject = Subject(uuid.UUID(int=1), 'mail:send')\n"
        "sys.stdout.buffer.write(codec.encode_result(subject, Mine()))\n"
    )

    payload = subprocess.run([sys.executable, script], check=True, capture_output=True).stdout

    assert SIGNED.decode_result(JOB, payload).double(4) == 8


FORGERIES: dict[str, Callable[[Path], tuple[Codec, bytes]]] = {
    "no key here": lambda path: (PLAIN, SIGNED.encode_result(JOB, Trap(path))),
    "another key": lambda path: (
        Codec(authkey=b"o" * 16),
        SIGNED.encode_result(JOB, Trap(path)),
    ),
    "another job's": lambda path: (SIGNED, SIGNED.encode_result(OTHER_JOB, Trap(path))),
    "another task's": lambda path: (SIGNED, SIGNED.encode_result(OTHER_TASK, Trap(path))),
    "a call's": lambda path: (SIGNED, SIGNED.encode_call(JOB, (Trap(path),), {})),
    "first bit of the signature": lambda path: (
        SIGNED,
        flip(SIGNED.encode_result(JOB, Trap(path)), 1),
    ),
    "last bit of the signature": lambda path: (
        SIGNED,
        flip(SIGNED.encode_result(JOB, Trap(path)), 32),
    ),
    "a bit of the pickle": lambda path: (
        SIGNED,
        flip(SIGNED.encode_result(JOB, Trap(path)), 50),
    ),
    "signature missing": lambda path: (
        SIGNED,
        b"\x02" + SIGNED.encode_result(JOB, Trap(path))[33:],
    ),
    "signature empty": lambda path: (SIGNED, b"\x02"),
    "signature cut": lambda path: (SIGNED, SIGNED.encode_result(JOB, Trap(path))[:20]),
    "pickle cut": lambda path: (SIGNED, SIGNED.encode_result(JOB, Trap(path))[:-1]),
    "something appended": lambda path: (SIGNED, SIGNED.encode_result(JOB, Trap(path)) + b"x"),
    "empty key": lambda path: (Codec(authkey=b""), SIGNED.encode_result(JOB, Trap(path))),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_pickle_is_refused_before_it_is_loaded(forgery: str, tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    codec, payload = FORGERIES[forgery](trap)

    with pytest.raises(PayloadError, match="authkey"):
        codec.decode_result(JOB, payload)

    assert not trap.exists()


def test_a_result_is_refused_as_a_call(tmp_path: Path) -> None:
    payload = SIGNED.encode_result(JOB, ((Trap(tmp_path / "sprung"),), {}))

    with pytest.raises(PayloadError, match="the call of job"):
        SIGNED.decode_call(JOB, payload)


def test_a_call_is_refused_as_another_task_s(tmp_path: Path) -> None:
    payload = SIGNED.encode_call(JOB, (Trap(tmp_path / "sprung"),), {})

    with pytest.raises(PayloadError, match="not signed for mail:drop"):
        SIGNED.decode_call(OTHER_TASK, payload)

    assert not (tmp_path / "sprung").exists()


def test_no_two_subjects_are_signed_alike() -> None:
    subjects = [
        JOB,
        OTHER_JOB,
        OTHER_TASK,
        Subject(JOB.job_id, ""),
        Subject(JOB.job_id, "mail:sendx"),
    ]

    signatures = {
        sign(KEY, purpose, subject, data)
        for purpose in PURPOSES
        for subject in subjects
        for data in (b"", b"x", b"mail:send")
    }

    assert len(signatures) == len(PURPOSES) * len(subjects) * 3


def test_payloads_are_signed_with_the_hkdf_child_of_the_key() -> None:
    """RFC 5869 and RFC 2104, written out with SHA-256 alone."""
    child = hmac_sha256(hmac_sha256(bytes(32), KEY), b"lightwork payload 1\x01")
    about = b"call\0" + JOB.job_id.bytes + b"\0\0\0\x09mail:send"

    assert sign(KEY, "call", JOB, b"data") == hmac_sha256(child, about + b"data")


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    padded = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + data).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in padded) + inner).digest()


def test_the_trap_does_spring_when_the_signature_is_right(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    payload = SIGNED.encode_result(JOB, Trap(trap))

    SIGNED.decode_result(JOB, payload)

    assert trap.exists()


def test_a_signed_pickle_that_cannot_be_loaded_says_so() -> None:
    payload = SIGNED.encode_result(JOB, Unloadable())

    with pytest.raises(PayloadError, match="rightly signed but cannot be loaded"):
        SIGNED.decode_result(JOB, payload)


def test_a_value_that_cannot_be_pickled_says_so() -> None:
    with pytest.raises(PayloadError, match="cannot be pickled: RuntimeError"):
        SIGNED.encode_result(JOB, Reluctant())


def test_a_signed_payload_obeys_the_size_limit() -> None:
    small = Codec(authkey=KEY, max_bytes=100)

    with pytest.raises(PayloadError, match="100 bytes"):
        small.encode_result(JOB, [Thing(1), b"x" * 100])


def test_a_key_that_is_text_is_refused() -> None:
    with pytest.raises(UsageError, match="authkey must be bytes"):
        Codec(authkey="key")  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [1, 15])
def test_a_key_that_can_be_guessed_is_refused(size: int) -> None:
    with pytest.raises(UsageError, match=f"authkey holds {size} bytes; expected at least 16"):
        Codec(authkey=b"k" * size)


def test_the_key_is_not_shown() -> None:
    assert "key'" not in repr(SIGNED)


def test_a_key_of_the_wire_signs_and_loads_no_pickle() -> None:
    # A server knows these, and other holders may; whoever trusted pickles by them would run their code.
    text = derive(KEY, "work", "gpu-7").text().encode()
    codec = Codec(authkey=text)
    pickled = b"\x80\x04N."
    forged = SIGNED_FORM + sign(text, "call", JOB, pickled) + pickled

    with pytest.raises(PayloadError, match="derived") as refused:
        codec.encode_call(JOB, (Thing(1),), {})
    assert text.decode() not in str(refused.value)
    with pytest.raises(PayloadError, match="derived"):
        codec.decode_call(JOB, forged)
    assert codec.decode_call(JOB, codec.encode_call(JOB, (1,), {})) == PLAIN.decode_call(
        JOB, PLAIN.encode_call(JOB, (1,), {})
    )
