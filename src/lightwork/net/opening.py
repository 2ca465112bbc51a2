"""Opening: any store by its URL: in a database, or behind a server.

What opens one for a user asks here. A server is asked with `authkey`, which is not part of the URL.
"""

import os
from typing import Final

from lightwork.errors import UsageError
from lightwork.net.client.address import address_of, is_server
from lightwork.net.keys.finding import find_authkey
from lightwork.store import sqlstore
from lightwork.store.contract import Store

_KEY_FILE: Final = "LIGHTWORK_AUTHKEY_FILE"


def open_store(url: str, *, create: bool = True, authkey: bytes = b"") -> Store:
    """Open the store that a URL names.

    Args:
        url: sqlite:///path/to/file.db, another database's, or http://HOST:PORT of `lightwork serve`.
        create: Make a store in a database where there is none; else refuse.
        authkey: Of which both sides prove that they have it, where the store is behind a server; default:
            LIGHTWORK_AUTHKEY, or what LIGHTWORK_AUTHKEY_FILE names; b"" for one without.

    Raises:
        UsageError: The URL is not that of a store.
        AuthError: The server and this key do not know each other.
        StoreUnavailable: It cannot be reached now.
        StoreError: It cannot be used; the text says why.
    """
    if is_server(url):
        # 40 ms to import, and who uses a database itself needs none of it.
        from lightwork.net.client.client import ServerStore  # noqa: PLC0415 - see above
        from lightwork.net.client.seal import KeySeal  # noqa: PLC0415 - see above
        from lightwork.net.keys.keyring import from_authkey  # noqa: PLC0415 - see above

        authkey = authkey or find_authkey(file=os.environ.get(_KEY_FILE, ""))
        seal = KeySeal(from_authkey(authkey)) if authkey else None
        return ServerStore(url, seal=seal)
    return sqlstore.open_store(url, create=create)


def check_database(url: str) -> None:
    """Raise unless the URL is one of a database, not of a server.

    Raises:
        UsageError: It is one of a server.
    """
    if is_server(url):
        raise UsageError(
            f"{address_of(url).url} is a server: it is offered already; name the database of the store"
        )
