"""Address: where a server is, from its URL."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from lightwork.errors import UsageError
from lightwork.store.urls import hide_password

SCHEMES: Final = ("http", "https")
_EXPECTED: Final = "expected http://HOST:PORT or https://HOST:PORT"


@dataclass(frozen=True, slots=True)
class Address:
    """One server."""

    host: str
    port: int
    is_tls: bool

    @property
    def url(self) -> str:
        """The URL, which holds no secrets."""
        return f"{'https' if self.is_tls else 'http'}://{self.named}"

    @property
    def named(self) -> str:
        """Host and port, as HTTP names them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def is_server(url: str) -> bool:
    """Whether a URL is one of a server, and not of a database."""
    return url.partition("://")[0].lower() in SCHEMES


def address_of(url: str) -> Address:
    """Return where the server is.

    Raises:
        UsageError: The URL says more than that, or less.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if "@" in parts.netloc:
        raise UsageError(
            f"{hide_password(url)}: a server is asked with an authkey, not with a name and a password; "
            f"{_EXPECTED}"
        )
    if not host or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise UsageError(f"{hide_password(url)} is not the URL of a server; {_EXPECTED}")
    is_tls = parts.scheme.lower() == "https"
    return Address(host, port or (443 if is_tls else 80), is_tls)
