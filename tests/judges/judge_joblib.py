"""joblib's tests of Parallel, with lightwork among the back ends that run calls on processes."""

from pathlib import Path
from typing import Any

import joblib.test
import joblib.testing
from joblib.testing import check_subprocess_call

from lightwork.contrib.joblib import register

FOLDER = "."
FILES = ["joblib/test/test_parallel.py"]
ONLY = "lightwork"
LEFT_OUT: dict[str, str] = {}
DEVIATIONS = {
    "test_error_capture": "an error costs what the call runs, not the pool, which is not made anew",
    r"test_nested_backend_in_sequential.*None": "without n_jobs it is all of it, not one",
    "test_auto_memmap_on_arrays_from_generator": "arrays are not written to files: they lie in"
    " shared memory, and are arrays of the call's own",
    "test_memmapping_leaks": "the same",
}

REGISTER = "from lightwork.contrib.joblib import register; register()\n"
# The one line of the tests that names back ends; in children it also makes ours known.
THEIRS = '    PROCESS_BACKENDS = ["multiprocessing", "loky"]\n'
OURS = f'    PROCESS_BACKENDS = ["multiprocessing", "loky", "lightwork"]; {REGISTER}'


def check_registered(cmd: list[str], *args: Any, **kwargs: Any) -> None:
    """Let the scripts that the tests run know ours."""
    if "-c" in cmd:
        place = cmd.index("-c") + 1
        cmd = [*cmd[:place], REGISTER + cmd[place], *cmd[place + 1 :]]
    else:
        script = Path(cmd[-1])
        script.write_text(REGISTER + script.read_text(encoding="utf-8"), encoding="utf-8")
    check_subprocess_call(cmd, *args, **kwargs)


def adapt() -> None:
    """Put ours among those that the tests are run with."""
    tests = Path(joblib.test.__file__).with_name("test_parallel.py")
    text = tests.read_text(encoding="utf-8")
    assert THEIRS in text or OURS in text, "joblib's tests name their back ends otherwise"
    # In the unpacked source distribution: children import it as well.
    tests.write_text(text.replace(THEIRS, OURS), encoding="utf-8")
    joblib.testing.check_subprocess_call = check_registered
    register()
