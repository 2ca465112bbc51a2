"""Signature base: the text that a signature of HTTP is made of (RFC 9421, section 2.5).

    "@method": POST
    "content-digest": sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:
    "@signature-params": ("@method" "content-digest");keyid="k";nonce="1"

No two messages have one base: a component stands on one line, so none of them may hold the end
of a line.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence


def signature_params(components: Iterable[str], parameters: Mapping[str, str | int]) -> str:
    """Return what Signature-Input says behind the label.

    Args:
        components: Identifiers as they stand in the base: '"@method"', '"signature";req'.
        parameters: In their order; a number is written as such, text in quotes.

    Raises:
        ValueError: A text cannot stand in quotes.
    """
    written = "".join(f";{name}={_item(value)}" for name, value in parameters.items())
    return f"({' '.join(components)}){written}"


def signature_base(components: Sequence[tuple[str, str]], params: str) -> bytes:
    """Return what is signed.

    Args:
        components: Identifiers, and the values that the message has for them.
        params: What `signature_params` has made of the same identifiers.

    Raises:
        ValueError: A value holds what no line may hold, or an identifier stands twice.
    """
    if len(dict(components)) != len(components):
        raise ValueError("a component stands twice")
    lines = [f"{identifier}: {value}" for identifier, value in components]
    for line in lines:
        if not (line.isascii() and line.replace("\t", " ").isprintable()):
            raise ValueError(f"the component {line.partition(': ')[0]!r} is not one line of ASCII")
    return "\n".join([*lines, f'"@signature-params": {params}']).encode("ascii")


def content_digest(body: bytes) -> str:
    """Return the header Content-Digest of a body (RFC 9530), by SHA-256."""
    return f"sha-256={byte_sequence(hashlib.sha256(body).digest())}"


def byte_sequence(data: bytes) -> str:
    """Return bytes as structured fields write them (RFC 9651, section 3.3.5)."""
    return f":{base64.b64encode(data).decode()}:"


def _item(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    if not (value.isascii() and value.isprintable()):
        raise ValueError("a parameter is not printable ASCII")
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'
