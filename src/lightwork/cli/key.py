"""`lightwork key`: make the key that a server and its clients share, and weaker keys from it.

lightwork key new FILE                               32 random bytes, in a file of mode 0600
lightwork key derive --role submit --name web1       a key that submits, and signs no pickle
lightwork key derive --role server --output FILE     all that `lightwork serve` needs to know
"""

from pathlib import Path
from typing import Any, Final

import click

from lightwork.terminal.options import output_options
from lightwork.terminal.output import answer, print_json

# No role of a holder: what the keys of all of them are derived from.
_SERVER: Final = "server"


@click.group()
def key() -> None:
    """Make a key; derive weaker ones, each for one role and one holder."""


@key.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@output_options
def new(*, path: Path, json: bool, quiet: bool) -> None:
    """Write a new key to FILE, which only you can read; nothing is overwritten."""
    from lightwork.net.keys.key_file import create, new_authkey

    create(path, new_authkey())
    text = (
        f"{path} holds a new key. Give it to servers, workers and clients as --authkey-file {path}; "
        "whoever has it can do everything"
    )
    answer({"path": str(path)}, text, json=json, quiet=quiet)


@key.command()
@click.option("--role", required=True, type=click.Choice(["submit", "work", "view", "admin", _SERVER]),
              help="What its holder may do; server: the key of `lightwork serve`.")  # fmt: skip
@click.option("--name", default="", metavar="NAME",
              help="Whose it is, in logs, and to be revoked by; not for the role server.")  # fmt: skip
@click.option("--authkey-file", default="", metavar="FILE", envvar="LIGHTWORK_AUTHKEY_FILE",
              help="Key to derive from (mode 0600); default: LIGHTWORK_AUTHKEY.")  # fmt: skip
@click.option("--output", default=None, metavar="FILE", type=click.Path(path_type=Path),
              help="A new file for it, which only you can read; default: print it.")  # fmt: skip
@output_options
def derive(
    *, role: str, name: str, authkey_file: str, output: Path | None, json: bool, quiet: bool
) -> None:
    """Print a key that can do less, and from which the one it is derived from cannot be told.

    No derived key signs pickles: who has one submits and runs plain data. It is given wherever an
    authkey can be.
    """
    from lightwork.net.keys.finding import find_authkey
    from lightwork.net.keys.key_file import create

    authkey = find_authkey(file=authkey_file)
    if not authkey:
        raise click.UsageError(
            "there is no key to derive from; name its file: --authkey-file FILE, or make one: "
            "lightwork key new FILE"
        )
    text, fields = _derived(authkey, role, name)
    if output is not None:
        create(output, text)
        answer(
            {"path": str(output)} | fields,
            f"{output} holds a key of the role {role}",
            json=json,
            quiet=quiet,
        )
    elif json:
        print_json({"key": text} | fields)
    else:
        click.echo(text)


def _derived(authkey: bytes, role: str, name: str) -> tuple[str, dict[str, Any]]:
    from lightwork.net.keys import keyring
    from lightwork.net.keys.roles import check_role
    from lightwork.net.keys.root import root_of

    if role == _SERVER:
        if name:
            raise click.UsageError("--name is for keys of one holder; the key of a server has none")
        return root_of(authkey).text(), {"role": role}
    if not name:
        raise click.UsageError("say whose key it is to be: --name NAME")
    derived = keyring.derive(authkey, check_role(role), name)
    return derived.text(), {"role": role, "name": name, "key_id": derived.key_id}
