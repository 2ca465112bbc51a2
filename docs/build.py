"""Draw the generated parts of docs/design.md and docs/capacity.md from the code that they describe.

    python docs/build.py            rewrite the pages
    python docs/build.py --check    exit 1 if one is out of date

A generated part stands between `<!-- NAME: generated ... -->` and
`<!-- NAME: end -->`; everything else on a page is written by hand.
"""

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The list of layers lives beside the test that enforces it; the checkout need not be installed.
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

import capacity  # noqa: E402 - lies beside this file

import layers  # noqa: E402 - needs the path above
from lightwork import lifecycle  # noqa: E402 - needs the path above
from lightwork.pool.link import child_state  # noqa: E402 - needs the path above


def main() -> int:
    """Rewrite the pages, or say whether one is out of date."""
    parser = argparse.ArgumentParser(description="Draw the generated parts of the manual.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if stale")
    check = parser.parse_args().check
    parts = {"design.md": generated_parts(), "capacity.md": capacity.tables()}
    stale = [name for name in parts if _is_stale(ROOT / "docs" / name, parts[name], check=check)]
    return 1 if check and stale else 0


def _is_stale(page: Path, parts: Mapping[str, str], *, check: bool) -> bool:
    """Whether a page was out of date; without `check` it is redrawn."""
    text = page.read_text("utf-8")
    drawn = draw_page(text, parts)
    if drawn == text:
        return False
    if check:
        print(f"docs/{page.name} does not show the code any more: run `make docs`, commit the page")
    else:
        page.write_text(drawn, "utf-8")
        print(f"docs/{page.name} redrawn")
    return True


def generated_parts() -> dict[str, str]:
    """Return what stands on the page of the design, by name."""
    rooms = {
        f"rooms of {part.removesuffix('/')}": layers.rooms_table(part, _headers(part))
        for part in layers.ROOMS
    }
    return {
        "layers": layers.table(_files()),
        **rooms,
        "lifecycle": f"```mermaid\n{lifecycle.mermaid()}```\n",
        "life of a child": f"```mermaid\n{child_state.mermaid()}```\n",
    }


def _files() -> frozenset[str]:
    """Return every Python file of the package."""
    package = ROOT / "src" / "lightwork"
    return frozenset(path.relative_to(package).as_posix() for path in package.rglob("*.py"))


def _headers(part: str) -> dict[str, str]:
    """Return what each file and folder of a part says of itself in its first line."""
    package = ROOT / "src" / "lightwork"
    says = {path: path for path in (package / part).glob("*.py")}
    says |= {path.parent: path for path in (package / part).glob("*/__init__.py")}
    return {
        room.relative_to(package).as_posix(): path.read_text("utf-8").split('"""')[1].split("\n")[0]
        for room, path in says.items()
    }


def draw_page(text: str, parts: Mapping[str, str]) -> str:
    """Return the page with every part put between its markers.

    Raises:
        SystemExit: The page has lost the markers of a part.
    """
    for name, part in parts.items():
        pattern = rf"(<!-- {name}: generated[^>]*-->\n).*?(<!-- {name}: end -->)"
        found = re.search(pattern, text, re.DOTALL)
        if found is None:
            raise SystemExit(f"a page has no markers for the part {name!r}; put them back")
        text = text[: found.end(1)] + part + text[found.start(2) :]
    return text


if __name__ == "__main__":
    raise SystemExit(main())
