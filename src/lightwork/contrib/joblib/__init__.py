"""joblib: lightwork runs what `joblib.Parallel` is given, at any reach.

    from lightwork.contrib.joblib import register

    register()
    with parallel_config(backend="lightwork", where="processes:4"):
        search.fit(X, y)            # scikit-learn, or whoever else calls Parallel

Children import this file with each batch's function: it imports next to nothing.
"""

from lightwork.errors import UsageError


def register(*, make_default: bool = False) -> None:
    """Make `backend="lightwork"` known to joblib; once is enough, and more does no harm.

    What `parallel_config(backend="lightwork", ...)` takes beside joblib's own is said at
    LightworkBackend.

    Args:
        make_default: Whoever names no backend gets this one.

    Raises:
        UsageError: joblib is not installed, or is older than 1.5.
    """
    try:
        # An extra, and 150 ms to import.
        from lightwork.contrib.joblib.backend import register_backend  # noqa: PLC0415 - see above
    except ImportError as error:
        raise UsageError(
            f"joblib 1.5 or newer is needed, and cannot be imported: {error}. Install it: "
            'pip install "lightwork[joblib]"'
        ) from error
    register_backend(make_default=make_default)
