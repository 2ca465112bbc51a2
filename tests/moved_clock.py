"""Programs whose wall clock a test sets, while every other clock goes on."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_suffix(".c")

needs_a_compiler = pytest.mark.skipif(
    shutil.which("cc") is None, reason="there is no C compiler (apt-get install gcc)"
)


class MovedClock:
    """The clock of programs that are started with `environment`."""

    def __init__(self, folder: Path) -> None:
        library, self._setting = folder / "moved_clock.so", folder / "moved_clock"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE], check=True)
        self._setting.write_bytes(struct.pack("q", 0))
        self.environment = {"LD_PRELOAD": str(library), "MOVED_CLOCK": str(self._setting)}

    def set_by(self, hours: int) -> None:
        """Move it by so many hours from the true time, in programs that run already too."""
        # In place: they have the file mapped.
        with self._setting.open("r+b") as file:
            file.write(struct.pack("q", hours * 3600))
