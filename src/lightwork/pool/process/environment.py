"""Environment: what children find in `os.environ` that their program's has not. Pure.

Libraries of linear algebra start one thread per CPU in every process. Eight
children on eight CPUs would run 64 threads that take each other's turns, so each
child gets its share, unless the user has said something else.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from lightwork.errors import UsageError
from lightwork.numeric import as_int

BLAS_VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
)

BlasThreads = int | Literal["auto"] | None


def check_env(env: Mapping[str, str] | None) -> dict[str, str]:
    """Return a copy of the user's variables.

    Raises:
        UsageError: These cannot be environment variables.
    """
    # Any: what the types promise is checked here.
    found: dict[Any, Any] = dict(env or {})
    for name, value in found.items():
        if not (isinstance(name, str) and isinstance(value, str)):
            raise UsageError(f"env must map text to text; seen: {name!r}: {value!r}")
        if not name or "=" in name or "\0" in name + value:
            raise UsageError(f"env: no system can hold this variable: {name!r}: {value!r}")
    return found


def blas_env(
    threads: BlasThreads, *, cpus: int, children: int, known: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables that limit the threads of numeric libraries in one child.

    Args:
        threads: "auto": an equal share of the CPUs, unless `known` says otherwise;
            a number: so many, whatever `known` says; None: no limit.
        cpus: How many the pool may use.
        children: How many share them.
        known: The environment of the program.

    Raises:
        UsageError: `threads` is none of these.
    """
    if threads is None:
        return {}
    if threads == "auto":
        share = str(max(1, cpus // children))
        return {name: known.get(name, share) for name in BLAS_VARIABLES}
    number = as_int(threads)
    if number is None or number < 1:
        raise UsageError(
            f"blas_threads must be 'auto', None or a number from 1 on; seen: {threads!r}"
        )
    return dict.fromkeys(BLAS_VARIABLES, str(number))
