"""Tasks of the demo: parse one Python file and measure it.

Imports little: each child loads this file and nothing else of the demo.
"""

import ast
import timeit
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lightwork.tasks.task import task

# A queue of its own: on a store that others use, the demo's workers touch nothing else.
QUEUE: Final = "demo"
# Parsed once more on their own, each the best of so many times.
_TIMED: Final = 8
_ROUNDS: Final = 3
_SHOWN: Final = 3

_FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class SlowFunction:
    """A function and how long its own source takes to parse."""

    name: str
    line: int
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of one file.

    Attributes:
        branches: Places where control may go two ways: if, elif, conditional
            expressions, for, while, except, case, the conditions of comprehensions,
            and each `and` and `or`.
        slowest: Of the longest functions, those that take longest to parse.
    """

    lines: int
    functions: int
    classes: int
    branches: int
    slowest: tuple[SlowFunction, ...]


# Whoever tries out `kill -9` again and again should not end with a quarantined job.
@task(queue=QUEUE, max_crashes=10)
def measure(path: str) -> Report:
    """Parse a file and count what it holds.

    Raises:
        SyntaxError: It is not Python, or not in the encoding that it declares.
    """
    with tokenize.open(path) as file:
        source = file.read()
    with warnings.catch_warnings():
        # What a file does is its own affair: tests of the parser warn on purpose.
        warnings.simplefilter("ignore")
        nodes = list(ast.walk(ast.parse(source, path)))
        functions = [node for node in nodes if isinstance(node, _FunctionNode)]
        slowest = sorted(_time_longest(source, functions), key=lambda slow: -slow.milliseconds)
    return Report(
        lines=source.count("\n") + (not source.endswith("\n") and bool(source)),
        functions=len(functions),
        classes=sum(isinstance(node, ast.ClassDef) for node in nodes),
        branches=sum(map(_branches, nodes)),
        slowest=tuple(slowest[:_SHOWN]),
    )


def _branches(node: ast.AST) -> int:
    match node:
        case ast.If() | ast.IfExp() | ast.For() | ast.AsyncFor() | ast.While():
            return 1
        case ast.ExceptHandler() | ast.match_case():
            return 1
        case ast.BoolOp(values=values):
            return len(values) - 1
        case ast.comprehension(ifs=conditions):
            return len(conditions)
    return 0


def _time_longest(source: str, functions: list[_FunctionNode]) -> Iterator[SlowFunction]:
    # Not splitlines(): the parser does not end a line at a form feed.
    lines = source.split("\n")
    longest = sorted(functions, key=lambda node: node.lineno - (node.end_lineno or 0))
    for node in longest[:_TIMED]:
        text = "\n".join(lines[node.lineno - 1 : node.end_lineno])
        if node.col_offset:
            text = "if True:\n" + text
        yield SlowFunction(node.name, node.lineno, round(_parse(text), 3))


def _parse(text: str) -> float:
    return min(timeit.repeat(lambda: ast.parse(text), number=1, repeat=_ROUNDS)) * 1000
