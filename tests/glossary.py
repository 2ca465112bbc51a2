"""Glossary: the words that lightwork does not use, and where sources would use them.

One word per concept (docs/design.md). Checked are the names that the sources
*define* (what a library names is used as it is), the words of docstrings and of
log lines, and every text of the command line. Pure, like structure.py.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Final

from structure import FunctionNode, Source

# Each word in all its forms, and what to say instead.
BANNED: Final = {
    r"enqueue[drs]?|enqueuing": "submit",
    r"dequeue[drs]?|dequeuing": "claim",
    r"fetch|fetch(es|ed|er|ers|ing)": "claim (a job), read (anything else)",
    r"brokers?": "store or server",
    r"backends?": "store, or the name of the part",
    r"consumers?": "worker",
    r"producers?": "submitter",
    r"actors?": "task",
    r"handlers?": "function, or the verb that it does",
    r"reapers?": "the verb: rescue, prune, promote",
    r"orphan(s|ed)?": "attempt whose lease ran out; child whose parent died",
    r"managers?": "the noun that it owns",
    r"helpers?": "the verb that it does",
    r"utils?|utility|utilities": "the noun that it owns",
    r"mixins?": "a function, or an object that is held",
}
# Only a job is never a message: checked in names, where jobs live.
BANNED_FOR_JOBS: Final = {r"messages?": "job"}
# Folders of which every text may be read at a terminal.
SPOKEN: Final = ("cli/", "demo/", "parallel/", "terminal/", "tune/")
JOB_FILES: Final = (
    "model.py",
    "lifecycle.py",
    "store/*",
    "work/*",
    "executors.py",
    *(f"{room}*" for room in SPOKEN),
)
# "base" is a fair name for a number.
BANNED_IN_CLASSES: Final = {r"base": "the noun itself, or what sets it apart"}

# (files, word) that may stand, with the reason.
ALLOWED: Final = {
    ("multiprocessing/*", "manager"): "the standard library's name, offered as a drop-in",
    ("multiprocessing/*", "managers"): "the same",
    ("multiprocessing/*", "broker"): "the small process that hosts the primitives of a machine",
    ("machines/*", "broker"): "the same",
    ("sync/*", "broker"): "the same",
    ("sync/*", "brokers"): "the same",
    ("contrib/joblib/*", "backend"): "joblib's name for what is registered with it",
}

# Terms of Python and of the operating system, which have no other word.
TERMS: Final = re.compile(r"(context managers?|signal handlers?)")

LOG_VERBS: Final = {"debug", "info", "warning", "error", "exception", "critical", "log"}


def glossary_problems(sources: Sequence[Source]) -> Iterator[str]:
    """Yield every use of a banned word as `file:line: what, and what to say instead`."""
    for source in sources:
        yield from _name_problems(source)
        for line, text in spoken_texts(source):
            yield from _problems(source.path, line, TERMS.sub("", text), BANNED)


def _name_problems(source: Source) -> Iterator[str]:
    banned = dict(BANNED)
    if any(fnmatchcase(source.path, pattern) for pattern in JOB_FILES):
        banned |= BANNED_FOR_JOBS
    for line, name in defined_names(source):
        yield from _problems(source.path, line, name, banned)
    for node in source.nodes:
        if isinstance(node, ast.ClassDef):
            yield from _problems(source.path, node.lineno, node.name, BANNED_IN_CLASSES)


def _problems(path: str, line: int, text: str, banned: dict[str, str]) -> Iterator[str]:
    # One pattern of all for the many words that are none: a tenth of the time.
    found = filter(re.compile("|".join(banned)).fullmatch, words_of(text))
    for word in found:
        for pattern, instead in banned.items():
            if re.fullmatch(pattern, word) and not is_allowed(path, word):
                shown = text if len(text) < 60 else f"...{word}..."
                yield f"{path}:{line}: {word!r} in {shown!r}; say: {instead}"


def is_allowed(path: str, word: str) -> bool:
    """Whether the word has a reason to stand in this file."""
    return any(fnmatchcase(path, files) and word == allowed for files, allowed in ALLOWED)


def words_of(text: str) -> list[str]:
    """Split names in every style, and prose, into lower-case words."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", text)]


def defined_names(source: Source) -> Iterator[tuple[int, str]]:
    """Yield line and name of everything that the file names itself, and of the file."""
    yield 1, PurePosixPath(source.path).stem
    for node in source.nodes:
        if isinstance(node, FunctionNode | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield node.lineno, node.asname
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.lineno, node.name


def spoken_texts(source: Source) -> Iterator[tuple[int, str]]:
    """Yield line and text of docstrings, of log lines, and of every text that a terminal may show."""
    for node in source.nodes:
        if isinstance(node, ast.Module | ast.ClassDef | FunctionNode) and ast.get_docstring(node):
            yield node.body[0].lineno, ast.get_docstring(node) or ""
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in LOG_VERBS:
            yield from _strings(node)
    if source.path.startswith(SPOKEN):
        yield from _strings(source.tree)


def _strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
