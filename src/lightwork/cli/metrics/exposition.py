"""Exposition: measurements as Prometheus reads them, in text format 0.0.4. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lightwork.terminal.output import printable


@dataclass(frozen=True, slots=True)
class Sample:
    """One value; `suffix` is what a histogram appends to its name."""

    labels: Mapping[str, str]
    value: float
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """What is measured under one name."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    samples: Sequence[Sample]


def exposition(families: Iterable[Family]) -> str:
    """Return the text that a scraper reads; families without samples are left out."""
    return "".join(f"{line}\n" for family in families for line in _lines(family))


def _lines(family: Family) -> Iterator[str]:
    if not family.samples:
        return
    yield f"# HELP {family.name} {_escaped(family.help)}"
    yield f"# TYPE {family.name} {family.kind}"
    for sample in family.samples:
        labels = ",".join(
            f'{name}="{_escaped(value, is_quoted=True)}"' for name, value in sample.labels.items()
        )
        braces = f"{{{labels}}}" if labels else ""
        yield f"{family.name}{sample.suffix}{braces} {_number(sample.value)}"


def _escaped(text: str, *, is_quoted: bool = False) -> str:
    # Stores of earlier programs may have names with anything in them, and the text may go to a terminal.
    escaped = printable(text).replace("\\", "\\\\").replace("\n", "\\n")
    return escaped.replace('"', '\\"') if is_quoted else escaped


def _number(value: float) -> str:
    return f"{value:d}" if isinstance(value, int) else f"{value:.6g}"
