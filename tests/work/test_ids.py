"""Ids: fresh ones sort by time, keyed ones are the same tomorrow."""

import time
import uuid

from lightwork.work.ids import keyed_job_id, new_job_id

DIGEST = b"d" * 32


def test_a_fresh_id_is_a_uuid_of_version_7() -> None:
    made = new_job_id()

    assert (made.version, made.variant) == (7, uuid.RFC_4122)


def test_a_fresh_id_starts_with_the_milliseconds_of_its_making() -> None:
    before = time.time_ns() // 1_000_000

    made = new_job_id().int >> 80

    assert before <= made <= time.time_ns() // 1_000_000


def test_fresh_ids_differ() -> None:
    assert len({new_job_id() for _ in range(10_000)}) == 10_000


def test_a_keyed_id_is_a_uuid_of_version_8() -> None:
    made = keyed_job_id("key", "m:t", DIGEST, 1)

    assert (made.version, made.variant) == (8, uuid.RFC_4122)


def test_a_keyed_id_never_changes_between_releases() -> None:
    # Written down: with another value every key of every user would run again.
    made = keyed_job_id("key", "m:t", DIGEST, 1)

    assert str(made) == "88659139-62a6-8996-a878-ab7369ce6ed7"


def test_key_task_arguments_and_number_all_count() -> None:
    made = {
        keyed_job_id("key", "m:t", DIGEST, 1),
        keyed_job_id("kez", "m:t", DIGEST, 1),
        keyed_job_id("key", "m:u", DIGEST, 1),
        keyed_job_id("key", "m:t", b"e" * 32, 1),
        keyed_job_id("key", "m:t", DIGEST, 2),
    }

    assert len(made) == 5
