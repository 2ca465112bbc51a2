"""Near: what somebody may have meant by a name that is unknown."""

from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?", or "" if no name is near."""
    # Where something is wrong only: nobody else pays for it.
    import difflib  # noqa: PLC0415 - see above

    near = difflib.get_close_matches(word, list(known), n=2)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
