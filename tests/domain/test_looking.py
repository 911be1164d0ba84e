"""When to look at a running render."""

import random
from datetime import timedelta
from statistics import mean, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelgate_server.domain.looking import earliest_end, granted, next_look

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
durations = st.timedeltas(min_value=timedelta(), max_value=timedelta(days=1))
draws = st.floats(min_value=0, max_value=1, exclude_max=True)


def test_until_renders_were_observed_the_catalogue_is_believed() -> None:
    assert earliest_end(2 * MINUTE, []) == MINUTE
    assert earliest_end(2 * MINUTE, [SECOND] * 4) == MINUTE


def test_observed_renders_replace_the_catalogue() -> None:
    assert earliest_end(2 * MINUTE, [10 * SECOND] * 5) == 9 * SECOND


def test_one_fast_render_in_many_does_not_count() -> None:
    assert earliest_end(2 * MINUTE, [SECOND, *[100 * SECOND] * 31]) == 90 * SECOND


@pytest.mark.parametrize(
    ("elapsed_s", "draw", "interval_s"),
    [
        (0, 0.5, 60),
        (59, 0.5, 4.72),
        (60, 0.5, 4.8),
        (100, 0.5, 8),
        (100, 0.0, 7),
        (100, 1.0, 9),
        (300, 0.5, 24),
        (10_000, 0.5, 30),
    ],
)
def test_the_first_look_is_at_the_earliest_end_and_later_ones_wait_a_share_of_what_has_passed(
    elapsed_s: float, draw: float, interval_s: float
) -> None:
    interval = next_look(elapsed=timedelta(seconds=elapsed_s), earliest=MINUTE, draw=draw)
    assert interval == timedelta(seconds=interval_s)


def test_looks_are_never_less_than_a_second_apart() -> None:
    assert next_look(elapsed=SECOND, earliest=timedelta(), draw=0.5) == SECOND


@pytest.mark.parametrize(("failure_count", "interval_s"), [(1, 8), (4, 8), (5, 16), (6, 30), (50, 30)])
def test_looks_that_fail_in_a_row_are_spread(failure_count: int, interval_s: float) -> None:
    interval = next_look(elapsed=100 * SECOND, earliest=MINUTE, draw=0.5, failure_count=failure_count)
    assert interval == timedelta(seconds=interval_s)


@given(durations, durations, draws, st.integers(min_value=0, max_value=1000))
def test_an_interval_is_bounded(elapsed: timedelta, earliest: timedelta, draw: float, failure_count: int) -> None:
    interval = next_look(elapsed=elapsed, earliest=earliest, draw=draw, failure_count=failure_count)
    assert SECOND <= interval <= max(30 * SECOND, earliest - elapsed)


@pytest.mark.parametrize(("wish_s", "granted_s"), [(0.001, 0.1), (0.1, 0.1), (5, 5), (60, 60), (3600, 60)])
def test_a_wish_is_granted_within_reason(wish_s: float, granted_s: float) -> None:
    assert granted(timedelta(seconds=wish_s)) == timedelta(seconds=granted_s)


def test_few_looks_find_the_end_soon_once_renders_were_observed() -> None:
    dice = random.Random(1)  # noqa: S311 (repeatable on purpose)
    observed: list[timedelta] = []
    look_counts, delays = [], []
    for _ in range(300):
        render = timedelta(seconds=dice.lognormvariate(4.6, 0.25))
        elapsed, look_count = timedelta(), 0
        while elapsed < render:
            elapsed += next_look(elapsed=elapsed, earliest=earliest_end(2 * MINUTE, observed[-32:]), draw=dice.random())
            look_count += 1
        observed.append(elapsed)
        look_counts.append(look_count)
        delays.append((elapsed - render) / render)
    assert median(look_counts) <= 8
    assert mean(delays) <= 0.05


def test_a_model_that_has_become_faster_is_noticed() -> None:
    observed = [100 * SECOND] * 32
    for _ in range(200):
        observed.append(max(earliest_end(2 * MINUTE, observed[-32:]), 10 * SECOND))
    assert earliest_end(2 * MINUTE, observed[-32:]) == 9 * SECOND
