r"""Results: outputs kept in files (--results), in the tree of GNU parallel.

    DIR/1/VALUE/2/VALUE/{seq,stdout,stderr}    a folder for the number of each value
    NAME  NAME.err  NAME.seq                   where DIR has placeholders

A slash in a value is written \_, a backslash \\, so that values are names.
"""

from pathlib import Path
from typing import Final

from lightwork.command.placeholders import Place, fill_text, has_placeholder
from lightwork.errors import UsageError
from lightwork.parallel.jobs import End, MapJob

_ESCAPES: Final = str.maketrans({"\\": "\\\\", "/": "\\_", "\t": "\\t", "\n": "\\n", "\0": "\\0"})


def keep_outputs(where: str, end: End) -> None:
    """Keep the outputs of a job in files.

    Args:
        where: The folder, or names of files with placeholders.
        end: How the job ended.

    Raises:
        UsageError: They cannot be written.
    """
    stdout, stderr, seq = result_paths(where, end.job)
    try:
        stdout.parent.mkdir(parents=True, exist_ok=True)
        for path, output in ((stdout, end.stdout), (stderr, end.stderr)):
            with path.open("wb") as file:
                output.write_to(file)
        seq.write_text(str(end.job.seq))
    except (OSError, ValueError) as error:
        raise UsageError(f"--results {stdout} cannot be written: {error}") from error


def result_paths(where: str, job: MapJob) -> tuple[Path, Path, Path]:
    """Return where the outputs and the number of a job go."""
    if has_placeholder(where):
        name = fill_text(where, job.values, Place(seq=job.seq, least=job.least))
        return Path(name), Path(f"{name}.err"), Path(f"{name}.seq")
    folder = Path(where)
    if not job.values:
        # With --pipe or -N 0 all jobs would share one folder.
        folder = folder / str(job.seq)
    for number, value in enumerate(job.values, start=1):
        folder = folder / str(number) / _as_name(value)
    return folder / "stdout", folder / "stderr", folder / "seq"


def _as_name(value: str) -> str:
    name = value.translate(_ESCAPES)
    # Not names of folders to be made, and "" would be the folder above.
    return f"\\{name or '0'}" if name in {"", ".", ".."} else name
