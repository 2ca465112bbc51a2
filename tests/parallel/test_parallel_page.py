"""docs/parallel.md: each of its examples prints what it says, and GNU parallel agrees."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from parallel.command_line import SOURCES

pytestmark = pytest.mark.process

PAGE = (Path(__file__).parents[2] / "docs/parallel.md").read_text()
SAME, OURS = (
    re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    for section in PAGE.partition("## Ours alone")[::2]
)
OPTIONS = re.findall(r"^\| (.*?) \| (.*?) \|", PAGE, re.MULTILINE)


@dataclass(frozen=True)
class Example:
    command: str
    output: str


def examples_of(block: str) -> list[Example]:
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [Example(*part.partition("\n")[::2]) for part in parts]


def printed(examples: list[Example], folder: Path, program: str) -> list[Example]:
    """Run examples one after the other in one folder, with `lightwork map` as this program."""
    environment = {name: text for name, text in os.environ.items() if "LIGHTWORK" not in name}
    done = []
    for example in examples:
        command = f'lightwork() {{ shift; {program} "$@"; }}; {example.command}'
        ran = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env={**environment, "PYTHONPATH": str(SOURCES)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=90,
            check=False,
        )
        done.append(Example(example.command, ran.stdout))
    return done


def test_there_are_examples() -> None:
    assert [len(examples_of(block)) for block in (*SAME, *OURS)] == [20, 3]


@pytest.mark.parametrize("block", [*SAME, *OURS], ids=["same", "ours"])
def test_the_examples_print_what_the_page_says(tmp_path: Path, block: str) -> None:
    examples = examples_of(block)

    assert printed(examples, tmp_path, f"{sys.executable} -m lightwork map") == examples


@pytest.mark.skipif(not shutil.which("parallel"), reason="GNU parallel is not installed")
def test_gnu_parallel_prints_the_same(tmp_path: Path) -> None:
    (tmp_path / ".parallel").mkdir()
    (tmp_path / ".parallel" / "will-cite").touch()
    examples = examples_of(SAME[0])

    found = printed(examples, tmp_path, f"HOME={tmp_path} SHELL=/bin/sh parallel --plus")

    assert found == examples


def test_the_page_names_every_option_of_the_verb() -> None:
    from lightwork.cli.map import map_

    named = {name for option in map_.params for name in [*option.opts, *option.secondary_opts]}
    long = {name for name in named if name.startswith("--")}
    alias = {"--jobs", "--keep-order", "--null", "--arg-file", "--max-replace-args",
             "--line-buffer", "--shell", "--where", "--quiet"}  # fmt: skip

    assert {
        name for name in long - alias if f"`{name}" not in PAGE and f" {name}" not in PAGE
    } == set()
