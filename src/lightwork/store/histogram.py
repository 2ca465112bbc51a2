"""Histogram: durations in buckets that double, from a millisecond to 18 hours.

Bucket n holds what took at most 2**n milliseconds and more than the bucket before. So a percentile
is told within a factor of two, better where many values spread inside of a bucket.
"""

import math
from collections.abc import Mapping
from typing import Final

LAST_BUCKET: Final = 26


def bucket_of(seconds: float) -> int:
    """Return the bucket of a duration; what is longer than all of them is in the last."""
    # Asked twice for each job.
    if seconds <= 0.001:
        return 0
    return min((math.ceil(seconds * 1000) - 1).bit_length(), LAST_BUCKET)


def upper_bound(bucket: int) -> float:
    """Return the seconds of the longest duration in a bucket."""
    return float(2.0**bucket / 1000)


def quantile(buckets: Mapping[int, int], share: float) -> float:
    """Return the seconds below which this share of all durations is, as far as buckets tell."""
    wanted = share * sum(buckets.values())
    below = 0
    for bucket in sorted(buckets):
        if below + buckets[bucket] >= wanted and buckets[bucket]:
            lower = upper_bound(bucket - 1) if bucket else 0.0
            part = (wanted - below) / buckets[bucket]
            return lower + (upper_bound(bucket) - lower) * part
        below += buckets[bucket]
    return 0.0
