"""Confidence intervals and paired tests that respect that questions about one page are not independent.

Whole groups (pages) are resampled or have their sign flipped, never single questions: treating twenty questions about
one page as twenty facts makes intervals far too narrow. Everything is seeded, so a report is reproducible.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
_RESAMPLES = 4_000
_BATCH = 500
_SEED = 20_261_121


@dataclass(frozen=True)
class Interval:
    """A mean over questions with its confidence interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """Mean of a - b over the same questions, its interval, and a two-sided p-value of no difference."""

    mean: float
    low: float
    high: float
    p_value: float
    n: int
    n_groups: int


def mean_interval(values: Sequence[float], groups: Sequence[str], limits: tuple[float, float] = (0.0, 1.0)) -> Interval:
    """Mean and 95 % cluster-bootstrap interval (groups are resampled).

    Parameters
    ----------
    values, groups
        One value and one group name a question.
    limits
        The values' range, which is what is known of the mean with fewer than two groups.

    Notes
    -----
    Field, Welsh: Bootstrapping clustered data, JRSS B 2007.
    """
    sums, counts = _by_group(values, groups)
    if len(sums) < 2:
        return Interval(float(np.mean(values)) if len(values) else 0.0, *limits)
    low, high = _bootstrap(sums, counts)
    return Interval(float(sums.sum() / counts.sum()), max(low, limits[0]), min(high, limits[1]))


def paired_difference(a: Sequence[float], b: Sequence[float], groups: Sequence[str]) -> Difference:
    """Difference of two systems on the same questions, in the same order.

    The interval is `mean_interval` of the differences; the p-value comes from flipping the sign of whole groups, exact
    where there are few of them (Smucker, Allan, Carterette: A comparison of statistical significance tests for
    information retrieval evaluation, CIKM 2007).
    """
    differences = np.asarray(a, float) - np.asarray(b, float)
    interval = mean_interval(differences.tolist(), groups, limits=(-1.0, 1.0))
    sums, _ = _by_group(differences.tolist(), groups)
    return Difference(interval.mean, interval.low, interval.high, _sign_flip(sums), len(differences), len(sums))


def _by_group(values: Sequence[float], groups: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of values of every group, shape (n_groups,) each."""
    _, index = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    return np.bincount(index, weights=np.asarray(values, float)), np.bincount(index).astype(float)


def _bootstrap(sums: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    from scipy.stats import bootstrap

    if np.ptp(sums / counts) == 0:  # nothing varies, so nothing can be resampled
        constant = float(sums[0] / counts[0])
        return constant, constant
    interval = bootstrap(
        (sums, counts),
        _ratio,
        paired=True,
        vectorized=True,
        n_resamples=_RESAMPLES,
        batch=_BATCH,
        method="percentile",
        confidence_level=_expanded_level(len(sums)),
        rng=np.random.default_rng(_SEED),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def _expanded_level(n_groups: int) -> float:
    """The level at which a percentile interval of few groups has the coverage it promises.

    Plain percentile intervals are too narrow for few groups: nominal 95 % covered 84 % with 6 groups and 90 % with 25
    in simulations. Widening them as Student's t does mends that (Hesterberg: What teachers should know about the
    bootstrap, The American Statistician 2015, section 3.3: expanded percentile intervals).
    """
    from scipy.stats import norm, t

    tail = norm.cdf(np.sqrt(n_groups / (n_groups - 1)) * t.ppf((1.0 - CONFIDENCE) / 2.0, n_groups - 1))
    return float(1.0 - 2.0 * tail)


def _ratio(sums: np.ndarray, counts: np.ndarray, axis: int = -1) -> np.ndarray:
    return sums.sum(axis=axis) / counts.sum(axis=axis)


def _sign_flip(sums: np.ndarray) -> float:
    from scipy.stats import permutation_test

    if len(sums) < 2 or not sums.any():
        return 1.0
    result = permutation_test(
        (sums,),
        lambda x, axis=-1: x.sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=_RESAMPLES,
        batch=_BATCH,
        rng=np.random.default_rng(_SEED),
    )
    return float(result.pvalue)
