"""One word per concept: no source uses a word that the glossary does not."""

import pytest

from glossary import glossary_problems, words_of
from structure import Source, read_sources

OFFENCES = [
    ("pool/a.py", "class CallHandler: 1"),
    ("pool/a.py", "class PoolBase: 1"),
    ("pool/a.py", "def enqueue_all(): 1"),
    ("pool/a.py", "def f(*, broker): 1"),
    ("pool/a.py", "orphans: int = 0"),
    ("pool/a.py", "self.consumer = 1"),
    ("pool/a.py", "import os as helper"),
    ("pool/a.py", "for actor in []: 1"),
    ("pool/a.py", "'''Reaper of children.'''"),
    ("pool/a.py", "log.info('job_fetched job=%s', 1)"),
    ("pool/utils.py", ""),
    ("store/a.py", "message = 1"),
    ("cli/a.py", "click.option('--broker-url')"),
]
FAIR_USES = [
    ("pool/a.py", "rows = cursor.fetchall(); signal.handler(broker)"),
    ("pool/a.py", "message = base = 1"),
    ("pool/a.py", "text = 'a consumer of text that nobody reads'"),
    ("pool/a.py", "class Database: factor = utilisation = 1"),
    ("pool/a.py", '"""A context manager, a signal handler."""'),
    ("multiprocessing/a.py", "def Manager(): 1"),
]


def test_the_sources_use_the_words_of_the_glossary() -> None:
    problems = list(glossary_problems(read_sources()))

    assert not problems, "\n" + "\n".join(f"src/lightwork/{problem}" for problem in problems)


@pytest.mark.parametrize(("path", "text"), OFFENCES)
def test_a_banned_word_is_found(path: str, text: str) -> None:
    problems = {*glossary_problems([Source(path, text)])}

    assert len(problems) == 1


@pytest.mark.parametrize(("path", "text"), FAIR_USES)
def test_fair_use_is_left_alone(path: str, text: str) -> None:
    problems = list(glossary_problems([Source(path, text)]))

    assert problems == []


def test_names_of_every_style_are_split_into_words() -> None:
    words = words_of("HTTPServer max_memory _camelCase2 KEY")

    assert words == ["http", "server", "max", "memory", "camel", "case", "key"]
