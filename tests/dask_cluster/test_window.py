"""How many calls make a batch."""

from lightwork.dask.window import TARGET, Window


def test_a_call_whose_duration_is_unknown_fills_a_batch() -> None:
    window = Window(2)

    assert window.expect(b"fn") == TARGET


def test_short_calls_are_learned_to_be_short() -> None:
    window = Window(2)

    window.learn(b"fn", 0.0)

    assert 100 < TARGET / window.expect(b"fn") < 10_000


def test_a_call_that_grows_long_is_believed_sooner_than_one_that_grows_short() -> None:
    window = Window(2)
    window.learn(b"grows", 0.0)
    window.learn(b"shrinks", 1.0)

    window.learn(b"grows", 1.0)
    window.learn(b"shrinks", 0.0)

    assert window.expect(b"grows") > 0.4
    assert window.expect(b"shrinks") > 0.8


def test_two_batches_a_slot_are_under_way_and_share_what_waits() -> None:
    window = Window(2)

    shares = [window.share(100, under_way) for under_way in range(5)]

    assert shares == [25, 34, 50, 100, 0]


def test_a_cluster_without_workers_gets_a_batch_to_wait_with() -> None:
    window = Window(0)

    assert window.share(1, 0) == 1
