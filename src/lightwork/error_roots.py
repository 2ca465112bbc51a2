"""Error roots: the classes of errors.py from which those of late_errors.py derive."""


class Error(Exception):
    """Base of all errors of lightwork.

    Keyword arguments become attributes and survive pickling.
    """

    __module__ = "lightwork"

    def __init__(self, text: str, /, **attributes: object) -> None:
        super().__init__(text)
        self.__dict__.update(attributes)


class JobError(Error):
    """Something about one job."""

    __module__ = "lightwork"

    job_id: str
