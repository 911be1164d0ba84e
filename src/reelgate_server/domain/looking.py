"""When to look at a running render: late at first, then ever less often, and as the provider wishes where it does.

Theory of operation
===================

A render takes minutes, and nobody knows how many. Looks that are each a fixed share of the time that has passed after
the one before find the end with a delay of at most that share, half of it on average, whatever the render takes; and
the number of looks grows only with its logarithm. What is left to choose is where to begin: at the earliest time at
which an end is likely.
"""

from collections.abc import Collection
from datetime import timedelta
from typing import Final

from reelgate_server.domain.retry import back_off

SHARE: Final = 0.08
"""Of the time that has passed, until the next look. Mean delay: 4 % of the render time."""
JITTER: Final = 0.25
"""Part of an interval by which it varies, so that jobs made together are not asked about together."""
INTERVAL_MIN: Final = timedelta(seconds=1)
INTERVAL_MAX: Final = timedelta(seconds=30)
"""The longest interval that a documented gateway recommends to its own clients."""
WISH_MIN: Final = timedelta(milliseconds=100)
"""No provider is asked again sooner, whatever it wishes; a wish of zero is none, or it would be a busy loop."""
WISH_MAX: Final = timedelta(minutes=1)
"""A longer wish is not trusted with the customer's patience; `Retry-After` is, up to the job's deadline."""
OBSERVED_COUNT_MIN: Final = 5
"""Observed renders from which on they are believed more than the catalogue."""
EARLY: Final = 0.9
"""Of the fastest tenth of the observed renders. Below one, or a model that has become faster would never be noticed:
an end is never seen before the first look."""


def earliest_end(typical: timedelta, observed: Collection[timedelta]) -> timedelta:
    """The earliest time after the submit at which an end is likely.

    Args:
        typical: What the catalogue says; zero if it no longer has the model.
        observed: What renders of the model took lately, in any order.
    """
    if len(observed) < OBSERVED_COUNT_MIN:
        return typical / 2
    return sorted(observed)[len(observed) // 10] * EARLY


def next_look(*, elapsed: timedelta, earliest: timedelta, draw: float, failure_count: int = 0) -> timedelta:
    """How long to wait before the next look at a running render.

    Args:
        elapsed: Since the submit; >= 0.
        earliest: See `earliest_end`.
        draw: Uniform in [0, 1).
        failure_count: Looks in a row that failed until now; they are spread further.

    Returns:
        At least `INTERVAL_MIN`. Until `earliest`, all of what is left; afterwards `SHARE` of what has passed, more or
        less by half of `JITTER`, and at most `INTERVAL_MAX`.
    """
    jitter = 1 + JITTER * (draw - 0.5)
    interval = min(elapsed * SHARE * jitter, INTERVAL_MAX)
    if failure_count:
        interval = max(interval, min(back_off(failure_count, draw), INTERVAL_MAX))
    return max(interval, earliest - elapsed, INTERVAL_MIN)


def granted(wish: timedelta) -> timedelta:
    """A provider's wish for the next look, within what we grant."""
    return min(max(wish, WISH_MIN), WISH_MAX)
