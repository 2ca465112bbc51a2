"""Errors: the tree keeps its promises to except clauses and to pickle."""

import concurrent.futures
import copy
import pickle
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool

import pytest

from lightwork import errors
from lightwork.errors import Error


def tree(root: type[Error]) -> Iterator[type[Error]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


TREE = sorted({cls for cls in tree(Error) if cls in vars(errors).values()}, key=str)


@pytest.mark.parametrize("cls", TREE, ids=lambda cls: cls.__name__)
def test_an_error_pickles_with_its_attributes(cls: type[Error]) -> None:
    error = cls("what happened", job_id="17", exitcode=-9)

    back = pickle.loads(pickle.dumps(error))

    assert (type(back), str(back), vars(back)) == (cls, "what happened", vars(error))


@pytest.mark.parametrize("cls", TREE, ids=lambda cls: cls.__name__)
def test_an_error_can_be_copied(cls: type[Error]) -> None:
    assert vars(copy.copy(cls("x", name="a"))) == {"name": "a"}


def test_an_error_pickles_with_its_notes() -> None:
    error = Error("x")
    error.add_note("during chunk 3")

    assert pickle.loads(pickle.dumps(error)).__notes__ == ["during chunk 3"]


def test_the_tree_of_the_docstring_is_the_tree() -> None:
    assert errors.__doc__ is not None
    drawn = set(errors.__doc__.split())

    assert {cls.__name__ for cls in TREE} <= drawn


@pytest.mark.parametrize(
    ("cls", "kind"),
    [
        (errors.WorkerLost, BrokenProcessPool),
        (errors.WorkerLost, concurrent.futures.BrokenExecutor),
        (errors.WorkerLost, RuntimeError),
        (errors.PoolError, BrokenProcessPool),
        (errors.JobCancelled, concurrent.futures.CancelledError),
        (errors.JobCancelled, errors.JobError),
        (errors.JobNotFound, LookupError),
        (errors.JobFailed, errors.JobError),
        (errors.UsageError, ValueError),
        (errors.TaskNotFound, errors.UsageError),
        (errors.PayloadError, errors.UsageError),
        (errors.AuthError, errors.StoreError),
        (errors.StoreUnavailable, errors.StoreError),
        (errors.SchemaMismatch, errors.StoreError),
    ],
)
def test_an_error_is_caught_as_its_kind(cls: type[Error], kind: type[BaseException]) -> None:
    assert issubclass(cls, kind)


@pytest.mark.parametrize(
    ("cls", "kind"),
    [
        (errors.JobFailed, errors.WorkerLost),
        (errors.WorkerLost, errors.JobError),
        (errors.StoreUnavailable, OSError),
        (errors.LeaseLost, errors.JobError),
        (errors.SchemaMismatch, errors.StoreUnavailable),
    ],
)
def test_an_error_is_not_caught_as_another(cls: type[Error], kind: type[BaseException]) -> None:
    assert not issubclass(cls, kind)
