"""`lightwork doctor`: is everything here as a worker needs it; a line for each look."""

import dataclasses

import click

from lightwork.terminal.options import output_options, url_argument
from lightwork.terminal.output import is_terminal, print_json, printable

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@url_argument
@click.option("--authkey-file", default="", metavar="FILE", envvar="LIGHTWORK_AUTHKEY_FILE",
              help="Key that signs pickles (mode 0600); default: LIGHTWORK_AUTHKEY.")  # fmt: skip
@output_options
def doctor(*, url: str, authkey_file: str, json: bool, quiet: bool) -> None:
    """Look at the database, the clock, versions, permissions and limits; say what to do.

    Changes nothing. Exit status 1 if something fails; a warning is none.
    """
    from lightwork.cli.doctor.database import look_at_database
    from lightwork.cli.doctor.machine import look_at_machine
    from lightwork.cli.doctor.server import look_at_server
    from lightwork.net.client.address import is_server

    failed = 0
    look_at_store = look_at_server if is_server(url) else look_at_database
    for look in (look_at_machine(authkey_file=authkey_file), look_at_store(url)):
        for found in look:
            failed += found.state == "fail"
            if json:
                print_json(dataclasses.asdict(found))
            elif not quiet or found.state != "ok":
                word = f"{found.state:<5}"
                word = click.style(word, fg=_COLOURS[found.state]) if is_terminal() else word
                do = f"; {found.do}" if found.do else ""
                click.echo(word + printable(f"{found.what:<20} {found.seen}{do}"))
    if failed:
        raise click.exceptions.Exit(1)
