"""Unauthorized: the one error with which a server refuses, whatever the cause."""

from typing import Final

from lightwork.errors import Error

TEXT: Final = (
    "the request is not signed by a session of this server; make a new one with a key that it "
    "knows, and send the request again with the same request id"
)


class Unauthorized(Error):  # noqa: N818 - as HTTP calls it
    """The request is not to be believed: status 401.

    Whoever tries keys must not learn how far they came: the text is the same for every cause.

    Attributes:
        reason: The cause, for tests and the log of the server alone; never part of an answer.
    """

    reason: str


def unauthorized(reason: str) -> Unauthorized:
    """Return the error."""
    return Unauthorized(TEXT, reason=reason)
