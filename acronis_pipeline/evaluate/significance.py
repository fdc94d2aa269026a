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
    """Mean and 95 % cluster-bootstrap interval (groups are resampled); see `mean_intervals`."""
    return mean_intervals(np.asarray(values, float)[:, None], groups, limits)[0]


def mean_intervals(
    values: np.ndarray,
    groups: Sequence[str],
    limits: tuple[float, float] = (0.0, 1.0),
    *,
    confidence: float = CONFIDENCE,
    n_resamples: int = _RESAMPLES,
) -> list[Interval]:
    """Mean and cluster-bootstrap interval of every column.

    All columns are resampled together, by one matrix product: thirty metrics cost about what one does.

    Parameters
    ----------
    values
        Shape (n_questions, n_columns).
    groups
        What makes questions dependent, by name, for each question.
    limits
        The values' range, which is what is known of the mean with fewer than two groups.

    Notes
    -----
    Field, Welsh: Bootstrapping clustered data, JRSS B 2007.
    """
    if not len(values):
        return [Interval(0.0, *limits) for _ in range(values.shape[1])]
    sums, counts = _by_group(values, groups)
    means = sums.sum(axis=0) / counts.sum()
    if len(counts) < 2:
        return [Interval(float(mean), *limits) for mean in means]
    low, high = np.clip(_bootstrap(sums, counts, confidence, n_resamples), *limits)
    return [Interval(float(m), float(least), float(most)) for m, least, most in zip(means, low, high, strict=True)]


def paired_difference(
    a: Sequence[float], b: Sequence[float], groups: Sequence[str], *, confidence: float = CONFIDENCE
) -> Difference:
    """Difference of two systems on the same questions, in the same order.

    The interval is `mean_intervals` of the differences; the p-value comes from flipping the sign of whole groups, exact
    where there are few of them (Smucker, Allan, Carterette: A comparison of statistical significance tests for
    information retrieval evaluation, CIKM 2007).
    """
    differences = (np.asarray(a, float) - np.asarray(b, float))[:, None]
    interval = mean_intervals(differences, groups, limits=(-1.0, 1.0), confidence=confidence)[0]
    sums, _ = _by_group(differences, groups)
    return Difference(interval.mean, interval.low, interval.high, _sign_flip(sums[:, 0]), len(differences), len(sums))


def _by_group(values: np.ndarray, groups: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Sums of every group, shape (n_groups, n_columns), and its number of questions, shape (n_groups,)."""
    _, index = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    counts = np.bincount(index)
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, index, values)
    return sums, counts.astype(float)


def _bootstrap(sums: np.ndarray, counts: np.ndarray, confidence: float, n_resamples: int) -> np.ndarray:
    """Lower and upper ends, shape (2, n_columns): the percentile interval of `scipy.stats.bootstrap`.

    That resamples one statistic at a time; how often each group was drawn is the same for all of them.
    """
    rng, n_groups = np.random.default_rng(_SEED), len(counts)
    means: list[np.ndarray] = []
    for start in range(0, n_resamples, _BATCH):
        size = min(_BATCH, n_resamples - start)
        drawn = rng.integers(n_groups, size=(size, n_groups)) + n_groups * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * n_groups).reshape(size, n_groups).astype(float)
        means.append((times @ sums) / (times @ counts)[:, None])
    tail = _expanded_tail(n_groups, confidence)
    return np.quantile(np.concatenate(means), [tail, 1.0 - tail], axis=0)


def _expanded_tail(n_groups: int, confidence: float) -> float:
    """The share cut off at each end at which a percentile interval of few groups has the coverage it promises.

    Plain percentile intervals are too narrow for few groups: nominal 95 % covered 84 % with 6 groups and 90 % with 25
    in simulations. Widening them as Student's t does mends that (Hesterberg: What teachers should know about the
    bootstrap, The American Statistician 2015, section 3.3: expanded percentile intervals).
    """
    from scipy.stats import norm, t

    return float(norm.cdf(np.sqrt(n_groups / (n_groups - 1)) * t.ppf((1.0 - confidence) / 2.0, n_groups - 1)))


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
