"""Settings: what `[tool.lightwork]` of ./pyproject.toml says, checked.

    [tool.lightwork]
    url = "sqlite:///work.db"

    [tool.lightwork.worker]
    module = ["script"]
    grace = "1m"

Keys are the long names of options. A wrong key is refused: a setting that has
no effect is worse than none.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import click

FILE: Final = "pyproject.toml"


def read_settings(verbs: Collection[str]) -> dict[str, Any]:
    """Return `url` and a table for each verb, as far as the file has them.

    Raises:
        click.UsageError: The file cannot be read, or a key has no meaning.
    """
    path = Path(FILE)
    if not path.is_file():
        return {}
    import tomllib

    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{FILE} cannot be read: {error}") from error
    table: dict[str, Any] = found.get("tool", {}).get("lightwork", {})
    if not isinstance(table, dict):
        raise click.UsageError(f"tool.lightwork of {FILE} must be a table")
    for key, value in table.items():
        if key != "url" and not (key in verbs and isinstance(value, dict)):
            raise _meaningless("lightwork", key, ["url", *verbs])
    if not isinstance(table.get("url", ""), str):
        raise click.UsageError(f"url of [tool.lightwork] in {FILE} must be text")
    return table


def fit(table: dict[str, Any], command: click.Command, path: str) -> dict[str, Any]:
    """Return a verb's table as the defaults of its options.

    Raises:
        click.UsageError: A key is not the name of an option.
    """
    options = {
        str(found.name): found for found in command.params if isinstance(found, click.Option)
    }
    verbs = command.commands if isinstance(command, click.Group) else {}
    defaults: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name in verbs and isinstance(value, dict):
            defaults[name] = fit(value, verbs[name], f"{path}.{key}")
        elif name in options:
            is_single = options[name].multiple and not isinstance(value, list)
            # click would take text for a list of letters.
            defaults[name] = [value] if is_single else value
        else:
            raise _meaningless(path, key, [*options, *verbs])
    return defaults


def _meaningless(path: str, key: str, known: Collection[str]) -> click.UsageError:
    return click.UsageError(
        f"[tool.{path}] of {FILE} has {key!r}, which means nothing there; "
        f"expected one of {', '.join(sorted(known))}"
    )
