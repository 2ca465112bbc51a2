"""Complaints: what is said about a command line that cannot be obeyed. Pure, but for the environment.

click tells what is wrong in three lines of its own form, and does not tell where a value
came from. Here it becomes one sentence in the form of all our errors, which names the
variable or the setting, and the whole command to type where there is one.
"""

import os
import re
import shlex
from collections.abc import Sequence
from typing import Final

import click
from click.core import ParameterSource

_MEANT: Final = re.compile(r"\.? \(?Did you mean (.*?\?)\)?\Z")
_NEGATIVE: Final = re.compile(r"-(?:\.?[0-9].*|\.)")


def complaint(error: click.UsageError, typed: Sequence[str]) -> str:
    """Return a wrong use in words.

    Args:
        error: What click, or a verb, found.
        typed: The words behind `lightwork`.
    """
    if isinstance(error, click.NoSuchOption) and _NEGATIVE.fullmatch(error.option_name):
        return _about_a_number(typed)
    source = _source_of(error) if isinstance(error, click.BadParameter) else ""
    text = f"{source}: {_as_ours(error.message)}" if source else _as_ours(error.format_message())
    return f"{text}{_where_to_look(error)}"


def _about_a_number(typed: Sequence[str]) -> str:
    at = next(n for n, word in enumerate(typed) if _NEGATIVE.fullmatch(word))
    before, after = list(typed[:at]), list(typed[at:])
    if any(word.startswith("-") and not _NEGATIVE.fullmatch(word) for word in after):
        # What follows -- is no option, and only a person knows which words belong together.
        before, after = [*before[:1], "[OPTIONS]", *before[1:]], [after[0], "..."]
        whole = " ".join(["lightwork", *before, "--", *after])
    else:
        whole = shlex.join(["lightwork", *before, "--", *after])
    return f"{typed[at]} is no option; if it is an argument, write -- before it: {whole}"


def _source_of(error: click.BadParameter) -> str:
    """Return what has the value that is refused, "" if it was typed."""
    context, param = error.ctx, error.param
    if context is None or param is None or not param.name or not error.message:
        return ""
    source = context.get_parameter_source(param.name)
    if source is ParameterSource.ENVIRONMENT:
        name = _variable(context, param)
        return f"{name}={os.environ.get(name, '')}"
    if source is ParameterSource.DEFAULT_MAP:
        table = ".".join(context.command_path.split())
        return f"{param.name} of [tool.{table}] in pyproject.toml"
    return ""


def _variable(context: click.Context, param: click.Parameter) -> str:
    named = [param.envvar] if isinstance(param.envvar, str) else list(param.envvar or [])
    ours = f"{context.auto_envvar_prefix}_{(param.name or '').upper()}"
    return next((name for name in named if os.environ.get(name)), ours)


def _as_ours(text: str) -> str:
    """Return a sentence of click as it stands behind a colon."""
    text = _MEANT.sub(r"; did you mean \1", text)
    if text[:1].isupper() and text[1:2].islower():
        text = text[0].lower() + text[1:]
    return text if text.endswith("...") else text.rstrip(".")


def _where_to_look(error: click.UsageError) -> str:
    # What a verb refuses by itself says already what it expected.
    if error.ctx is None or type(error) is click.UsageError:
        return ""
    return f"; `{error.ctx.command_path} --help` tells more"
