"""What docs/http.md shows is run as it stands there."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cli.runs import SCRIPT
from net.processes.serving import serving

PAGE = Path(__file__).parents[3] / "docs" / "http.md"

pytestmark = pytest.mark.process


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_a_job_is_submitted_and_read_with_curl(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    first, *others = block.split("\ncurl")
    # Asked again until it has succeeded, which is all that is not on the page.
    until = (
        "until curl -s http://127.0.0.1:5000/v1/jobs/$job | grep -q succeeded; do sleep 0.05; done"
    )
    program = "\ncurl".join([f"set -e\n{first}\n{until}", *others])

    with serving(tmp_path, "--workers", "1", "-m", "script") as (url, _):
        done = subprocess.run(
            ["sh", "-c", program.replace("http://127.0.0.1:5000", url)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )

    assert '"result":400' in done.stdout
    assert done.stdout.count('"state":"succeeded"') == 4
