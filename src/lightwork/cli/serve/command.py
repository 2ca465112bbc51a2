"""`lightwork serve`: a store at an address, for executors, workers and other languages."""

import socket
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Final

import click

from lightwork.terminal.options import VERSION, output_options, retention, url_argument
from lightwork.terminal.output import note

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from lightwork.cli.worker.log import WorkerLog
    from lightwork.model import Retention
    from lightwork.net.server.gate import Gate
    from lightwork.net.server.serve import Server

DEFAULT_BIND: Final = "127.0.0.1:5000"
_MOST_PORT: Final = 65_535
_MOST_WORKERS: Final = 1024


@click.command()
@url_argument
@click.option("--bind", default=DEFAULT_BIND, show_default=True, metavar="HOST:PORT",
              help="Where to listen; port 0: any that is free. Another machine's calls need a key.")  # fmt: skip
@click.option("--authkey-file", default="", metavar="FILE", envvar="LIGHTWORK_AUTHKEY_FILE",
              help="Key that both sides prove to have (mode 0600); default: LIGHTWORK_AUTHKEY.")  # fmt: skip
@click.option("--tls-cert", default="", metavar="FILE", help="Certificate of the server, PEM.")
@click.option("--tls-key", default="", metavar="FILE", help="Its key, PEM; mode 0600.")
@click.option("--revoke", multiple=True, metavar="NAME",
              help="Refuse keys that were derived for this name; may be repeated.")  # fmt: skip
@click.option("--keep", type=retention, default="succeeded=7d,failed=30d,cancelled=7d",
              show_default=True, metavar="TIMES",
              help="Delete jobs of the store that ended longer ago: 30d, forever, or by state.")  # fmt: skip
@click.option("--workers", type=click.IntRange(0, _MOST_WORKERS), default=0, metavar="N",
              help="Run jobs here, too, N at a time; with -m.")  # fmt: skip
@click.option("-m", "--module", multiple=True, metavar="MODULE",
              help="Run this module's tasks, with --workers.")  # fmt: skip
@output_options
def serve(
    *,
    url: str,
    bind: str,
    authkey_file: str,
    tls_cert: str,
    tls_key: str,
    revoke: tuple[str, ...],
    keep: "Retention",
    workers: int,
    module: tuple[str, ...],
    json: bool,
    quiet: bool,
) -> None:
    """Offer the store at URL over HTTP, until stopped.

    lightwork.executor("http://HOST:PORT") and `lightwork worker http://HOST:PORT` behave there as
    on the store itself. Ctrl-C or SIGTERM ends it within two seconds; what uses it waits, and goes on
    when it is started again.
    """
    host, port = _address(bind)
    if bool(workers) != bool(module):
        raise click.UsageError(
            "--workers N and -m MODULE belong together: who runs jobs, and which"
        )
    if bool(tls_cert) != bool(tls_key):
        raise click.UsageError("--tls-cert and --tls-key belong together")
    from lightwork.cli.worker.log import WorkerLog
    from lightwork.net.keys.finding import find_authkey
    from lightwork.net.opening import check_database
    from lightwork.terminal.retention import retention_text

    check_database(url)
    _check_extra()
    authkey = find_authkey(file=authkey_file)
    _check_open(host, has_key=bool(authkey))
    tls = _tls(tls_cert, tls_key) if tls_cert else None
    gate = _gate(authkey, revoke, tls_cert)
    log = WorkerLog(json=json, quiet=quiet)
    log.install()
    worker = [word for name in module for word in ("-m", name)]
    worker += ["-j", str(workers), *["--quiet"] * quiet, *["--json"] * json]
    worker += ["--keep", retention_text(keep)]
    worker += ["--authkey-file", authkey_file] if authkey_file else []

    def greet(store: str, at: str) -> None:
        _greet(log, store, at, needs_file=bool(authkey_file), quiet=quiet)

    inside = worker if workers else []
    _offer(url, (host, port), gate, tls, greet=greet, worker=inside, keep=keep)


def _offer(
    url: str,
    where: tuple[str, int],
    gate: "Gate",
    tls: "ssl.SSLContext | None",
    *,
    greet: "Callable[[str, str], None]",
    worker: list[str],
    keep: "Retention",
) -> None:
    """Serve the store and keep it in order until a signal.

    Args:
        url: Of its database.
        where: Host and port.
        gate: Knows who asks.
        tls: With which certificate, if any.
        greet: Called with the store and the server's URL once it answers.
        worker: Arguments of the worker inside; none: there is none.
        keep: How long jobs are kept that have ended.
    """
    import resource

    from lightwork.net.server.app import App
    from lightwork.net.server.serve import Server, listen
    from lightwork.store.sqlstore import open_store
    from lightwork.work.served.server_upkeep import ServerUpkeep

    # A client has three connections, and 1024 descriptors are the custom.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with closing(listen(*where)) as listener, closing(open_store(url)) as store:
        at = _shown(where[0], listener.getsockname()[1], is_tls=tls is not None)
        app = App(store, gate=gate, does_upkeep=True)
        server = Server(app, listener, tls=tls, on_ready=lambda: greet(store.safe_url, at))
        upkeep = ServerUpkeep(store, keep)
        upkeep.start()
        try:
            _run(server, store.url, worker)
        finally:
            upkeep.stop()


def _run(server: "Server", url: str, worker: list[str]) -> None:
    """Serve until a signal, and then until the worker inside has ended."""
    from lightwork.cli.serve.inside import InsideWorker
    from lightwork.work.served.settled_heap import settled_heap

    failed: list[int] = []

    def end(status: int) -> None:
        failed.append(status)
        server.should_exit = True

    inside: InsideWorker | None = InsideWorker(url, worker, end) if worker else None
    try:
        with settled_heap():
            server.serve_here()
    finally:
        if inside is not None:
            inside.stop()
            inside.join()
    if failed:
        sys.exit(failed[0])


def _address(bind: str) -> tuple[str, int]:
    host, colon, port = bind.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > _MOST_PORT:
        raise click.UsageError(f"--bind {bind}: expected HOST:PORT, such as {DEFAULT_BIND}")
    return host.strip("[]"), int(port)


def _check_extra() -> None:
    """Raise unless what serves is installed.

    Raises:
        UsageError: It is not.
    """
    from importlib.util import find_spec

    from lightwork.errors import UsageError

    if missing := [name for name in ("uvicorn", "httptools") if find_spec(name) is None]:
        raise UsageError(
            f"lightwork serve needs {' and '.join(missing)}, which is not installed; "
            "run: pip install 'lightwork[server]'"
        )


def _check_open(host: str, *, has_key: bool) -> None:
    """Raise where others could reach a server that believes everybody.

    Raises:
        UsageError: They could.
    """
    from lightwork.errors import UsageError

    if not has_key and not is_loopback(host):
        raise UsageError(
            f"--bind {host}: other machines could reach this, and nobody would have to prove anything; "
            "make a key (lightwork key new work.key) and say --authkey-file work.key, or bind to "
            "127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Whether all addresses that a host has here are of this machine alone."""
    from ipaddress import ip_address

    try:
        found = socket.getaddrinfo(host, None, flags=socket.AI_PASSIVE)
    except OSError:
        return False
    return all(ip_address(str(address[4][0]).partition("%")[0]).is_loopback for address in found)


def _gate(authkey: bytes, revoked: tuple[str, ...], cert: str) -> "Gate":
    """Return what knows who asks."""
    from lightwork.errors import UsageError
    from lightwork.net.keys.keyring import Keyring
    from lightwork.net.server.gate import KeyGate, OpenGate

    if authkey:
        return KeyGate(Keyring([authkey], revoked), certificate=_digest_of(cert) if cert else b"")
    if revoked:
        raise UsageError("--revoke refuses keys, and this server has none; say --authkey-file FILE")
    return OpenGate()


def _digest_of(cert: str) -> bytes:
    """Return SHA-256 of the certificate that is shown to clients, which is the first in the file."""
    import hashlib
    import ssl
    from pathlib import Path

    text = Path(cert).read_text("ascii", "replace")
    first = text[text.index(ssl.PEM_HEADER) : text.index(ssl.PEM_FOOTER) + len(ssl.PEM_FOOTER)]
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).digest()


def _tls(cert: str, key: str) -> "ssl.SSLContext":
    import ssl

    from lightwork.errors import UsageError

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"--tls-cert {cert} --tls-key {key}: {error}") from error
    return context


def _shown(host: str, port: int, *, is_tls: bool) -> str:
    """Return the URL at which others find the server."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound to
        host = socket.gethostname()
    named = f"[{host}]" if ":" in host else host
    return f"{'https' if is_tls else 'http'}://{named}:{port}"


def _greet(log: "WorkerLog", store: str, at: str, *, needs_file: bool, quiet: bool) -> None:
    if log.json:
        log.write_json(level="info", event="server_ready", version=VERSION, store=store, url=at)
    elif not quiet:
        note(f"lightwork {VERSION} server")
        note(f"  store   {store}")
        note(f"  at      {at}")
        more = " --authkey-file FILE" if needs_file else ""
        note(f"  worker  lightwork worker {at} -m MODULE{more}")
        note("  stop    Ctrl-C or SIGTERM")
