"""What every store promises, on every database: tags and headers are kept, found, and pruned."""

from lightwork.store.contract import Store
from store.steps import claim_one, execute, new_job, registered, submitted, view_of

HEADERS = (("traceparent", "00-4b"), ("größe", "ü" * 1000))


def test_headers_come_to_whoever_claims(store: Store) -> None:
    job_id = submitted(store, headers=HEADERS)
    worker = registered(store)

    assert claim_one(store, worker).headers == HEADERS
    assert view_of(store, job_id).headers == dict(HEADERS)
    submitted(store)
    assert claim_one(store, worker).headers == ()


def test_jobs_of_one_submit_have_tags_of_their_own(store: Store) -> None:
    jobs = [new_job(tags=("night", f"n{number}")) for number in range(3)]
    store.submit([*jobs, new_job()])

    assert {job.id for job in store.jobs(tag="night")} == {job.id for job in jobs}
    assert [job.id for job in store.jobs(tag="n1")] == [jobs[1].id]
    assert store.jobs(tag="night", limit=1, before_seq=2)[0].id == jobs[0].id


def test_tags_are_pruned_with_their_job(store: Store) -> None:
    job_id = submitted(store, tags=("night",))
    store.cancel([job_id])
    execute(store, "UPDATE outcome SET finished_at = 1")

    store.prune(older_than=60)

    assert (store.jobs(tag="night"), store.check()) == ([], [])


def test_tags_are_shown_with_their_job(store: Store) -> None:
    job_id, other = submitted(store, tags=("night", "import")), submitted(store)

    assert view_of(store, job_id).tags == ("import", "night")
    assert {view.id: view.tags for view in store.jobs()} == {job_id: ("import", "night"), other: ()}
