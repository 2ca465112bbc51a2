"""`lightwork run`: one call of a function by name, here or as a job of a store."""

from typing import TYPE_CHECKING, Any

import click

from lightwork.cli.main import FAILED
from lightwork.terminal.options import duration, is_url, keywords_option, output_options, url_option
from lightwork.terminal.output import note, plain, print_json

if TYPE_CHECKING:
    from lightwork.pool.call.future import Future
    from lightwork.pool.executor.executor import Executor

_MOST_JOBS = 1024


@click.command()
@click.argument("words", nargs=-1, metavar="MODULE:FUNCTION [ARG]...")
@keywords_option
@click.option("-j", "--jobs", type=click.IntRange(0, _MOST_JOBS), default=0, metavar="N",
              help="With --url: also run N jobs at a time here; 0: workers elsewhere do.")  # fmt: skip
@click.option("--where", type=click.Choice(["processes", "threads", "inline"]),
              default="processes", show_default=True, help="What runs it.")  # fmt: skip
@click.option("--timeout", type=duration, default="0s", metavar="TIME",
              help="Kill it if it runs longer: 30s, 10m; 0s: no limit.")  # fmt: skip
@url_option("Keep it as a job of this store, and wait.")
@output_options
def run(
    *,
    words: tuple[str, ...],
    kw: dict[str, Any],
    jobs: int,
    where: str,
    timeout: float,
    url: str,
    json: bool,
    quiet: bool,
) -> None:
    """Call MODULE:FUNCTION with ARGs and print the result.

    An ARG (or VALUE) is JSON if it reads as JSON, else text. Before one that begins
    with a dash write --, for example: lightwork run script:square -- -3
    """
    if not words:
        raise click.UsageError("name the function: lightwork run MODULE:FUNCTION [ARG]...")
    if timeout and not url and where != "processes":
        raise click.UsageError(
            "--timeout kills, which only processes can be: use --where processes"
        )
    from lightwork.terminal.modules import find_function, with_policy
    from lightwork.terminal.values import read_value

    fn = with_policy(find_function(words[0]), timeout=timeout)
    with _opened(url or where, jobs=jobs) as executor:
        future: Future[Any] = executor.submit(fn, *map(read_value, words[1:]), **kw)
        if url and not quiet:
            _say_what_is_awaited(executor, future, module=words[0].partition(":")[0])
        error = future.exception()
    _print(None if error is not None else future.result(), error, json=json)


def _opened(place: str, *, jobs: int) -> "Executor":
    from lightwork.durable.executor import DurableExecutor
    from lightwork.pool.open_pool import open_pool

    if is_url(place):
        return DurableExecutor(place, workers=jobs)
    return open_pool(place) if place == "inline" else open_pool(f"{place}:1")


def _say_what_is_awaited(executor: Any, future: Any, *, module: str) -> None:
    note(f"submitted {future.job_id}")
    if not executor.store.summary().live_workers:
        url = executor.store.safe_url
        note(f"no worker is alive; start one: lightwork worker {url} -m {module}, or say -j 1")


def _print(result: Any, error: BaseException | None, *, json: bool) -> None:
    from lightwork.error_text import trace_of
    from lightwork.terminal.values import show_value

    if json:
        failure = None if error is None else {"type": type(error).__name__, "text": str(error)}
        print_json({"result": plain(result), "error": failure})
    elif error is not None:
        note(trace_of(error).rstrip())
    else:
        click.echo(show_value(result), nl=False)
    if error is not None:
        raise click.exceptions.Exit(FAILED)
