"""URLs: the text that names a store, taken apart, and shown without what must not be seen."""

from typing import Final

from sqlalchemy import URL, Connection, exc, make_url

from lightwork.errors import UsageError

EXPECTED: Final = (
    "expected sqlite:///path/to/file.db, postgresql+psycopg://USER@HOST/DATABASE "
    "or mysql+pymysql://USER@HOST/DATABASE"
)


def parse(url: str) -> URL:
    """Return the parts of a URL.

    Raises:
        UsageError: It is none, or may mean something else than it says.
    """
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):
        raise UsageError(f"{hide_password(url)} is not the URL of a store; {EXPECTED}") from None
    if _is_cut_short(parsed, url):
        raise UsageError(
            f"{hide_password(url)} has an @ too many: in a user, a password or the name of a database "
            "it is written %40 (and : is %3A, / is %2F, ? is %3F)"
        )
    return parsed


def _is_cut_short(parsed: URL, url: str) -> bool:
    """Whether the password has ended at an @ of its own: what is left of it was taken for the rest."""
    options = url.partition("?")[2].split("&")
    rest = parsed.host or ""
    if parsed.password:
        rest += (parsed.database or "") + "".join(option.partition("=")[0] for option in options)
    return "@" in rest


def safe_url(url: str) -> str:
    """Return the URL as it may be shown and logged: without its password and values behind `?`."""
    parsed = parse(url)
    shown = parsed.set(query={}).render_as_string(hide_password=True)
    options = "&".join(f"{name}=***" for name in parsed.query)
    return f"{shown}?{options}" if options else shown


def hide_password(url: str) -> str:
    """Return what is no URL as it may be shown: without what may be a password in it.

    That is all up to the last @, wherever it stands, and all behind a ?; both may be a part of one.
    """
    scheme, colon, rest = url.partition("://")
    before, at, shown = (rest if colon else scheme).rpartition("@")
    shown = "" if "?" in before else shown.partition("?")[0]
    shown = f"***@{shown}" if at else shown
    return f"{scheme}://{shown}" if colon else shown


def not_ours(connection: Connection, url: str) -> UsageError:
    """Return the error of a connection of the user's own that leads elsewhere than the URL."""
    theirs = safe_url(connection.engine.url.render_as_string(hide_password=False))
    return UsageError(
        f"the connection leads to {theirs} and the store is {safe_url(url)}: a job can be a part of a "
        "transaction only where both are one database (and, on PostgreSQL, find the same tables by "
        "search_path); use a session on the store's database, or an executor on the session's"
    )
