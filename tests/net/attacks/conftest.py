"""`lightwork serve` as a program, without a key and with one; it serves a whole file of tests."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from cli.runs import run
from lightwork.net.client.client import ServerStore
from lightwork.net.client.seal import KeySeal
from lightwork.net.keys.keyring import TransportKey, derive, from_authkey
from lightwork.net.keys.roles import Role
from net.processes.serving import serving


class Attacked(NamedTuple):
    """A server with a key, which a test knows."""

    url: str
    folder: Path
    authkey: bytes

    def key(self, role: Role) -> TransportKey:
        return from_authkey(self.authkey) if role == "admin" else derive(self.authkey, role, "x")

    def store(self, role: Role = "admin") -> ServerStore:
        return ServerStore(self.url, seal=KeySeal(self.key(role)))


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("open")) as (url, _):
        yield url


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    folder = tmp_path_factory.mktemp("keyed")
    run("key", "new", "a.key", folder=folder)
    with serving(folder, "--authkey-file", "a.key") as (url, _):
        yield Attacked(url, folder, (folder / "a.key").read_bytes().strip())
