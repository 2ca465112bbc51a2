"""Make an environment for a Python of this machine that ships CPython's tests of executors (3.13 and later do).

python make_judge.py FOLDER: `make test` calls it. What a store and its server need is partly compiled, so each Python
needs its own; where there is no such Python, or no packages for it, the tests that need one say so.
"""

import subprocess
import sys
from pathlib import Path

from pythons import COMPILED, can_judge, interpreters

ROOT = Path(__file__).parents[2]


def main() -> None:
    folder = Path(sys.argv[1])
    if any(can_judge(python, COMPILED) for python in interpreters()):
        return
    for python in filter(can_judge, interpreters()):
        made = subprocess.run([python, "-m", "venv", folder], check=False)
        words = [
            "-m",
            "pip",
            "--disable-pip-version-check",
            "install",
            "--quiet",
            f"{ROOT}[server]",
        ]
        if (
            made.returncode == 0
            and not subprocess.run([folder / "bin/python", *words], check=False).returncode
        ):
            return
    sys.stdout.write(
        "no Python here judges executors behind a server: the tests skip that, and say why\n"
    )


if __name__ == "__main__":
    main()
