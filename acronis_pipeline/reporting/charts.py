"""Figures as values: where every mark stands, in pixels, from scales with round numbers.

The templates draw them as SVG, so they follow the page's colours, stay sharp and cost a few kilobytes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from acronis_pipeline.evaluate.significance import Difference, Interval

_ROUND_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_ROW, _DETAIL, _EXTRA_MARK, _HEAD, _FOOT = 14, 12, 12, 6, 26
_MAX_STEPS = 300
"""Columns of a win/loss figure; more questions than that are thinned out."""


@dataclass(frozen=True)
class Scale:
    """Maps values from `low` to `high` onto pixels from `start` to `end`; what lies outside is drawn at the edge."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return round(self.start + min(1.0, max(0.0, share)) * (self.end - self.start), 1)


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis."""

    at: float
    label: str


def round_steps(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers that enclose `low` to `high` in about that many steps."""
    rough = max(high - low, 1e-6) / about
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(magnitude * factor for factor in _ROUND_STEPS if magnitude * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(n * step, 10) for n in range(first, max(last, first + 1) + 1)]


def axis(low: float, high: float, start: float, end: float, *, about: int = 5) -> tuple[Scale, tuple[Tick, ...]]:
    """A scale with round ends around `low` to `high`, and its ticks."""
    steps = round_steps(low, high, about)
    scale = Scale(steps[0], steps[-1], start, end)
    decimals = max(0, -math.floor(math.log10(steps[1] - steps[0]) + 1e-9))
    if round((steps[1] - steps[0]) * 10**decimals, 6) % 1:  # steps of .25
        decimals += 1
    signed = steps[0] < 0
    return scale, tuple(Tick(scale(step), _number(step, decimals, signed)) for step in steps)


def _number(value: float, decimals: int, signed: bool) -> str:
    text = f"{value:{'+' if signed and value else ''}.{decimals}f}"
    return text.replace("-", "−")


@dataclass(frozen=True)
class Estimate:
    """A value of a system with its interval. `text` is what a pointer shows on the mark."""

    system: str
    value: Interval | Difference
    text: str


@dataclass(frozen=True)
class Line:
    """Estimates that stand together, with what they are about."""

    label: str
    detail: str
    estimates: tuple[Estimate, ...]
    figures: str = ""


@dataclass(frozen=True)
class Mark:
    system: str
    x: float
    low: float
    high: float
    y: float
    text: str


@dataclass(frozen=True)
class Row:
    label: str
    detail: str
    figures: str
    y: float
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Whiskers:
    """Dots with their intervals, a row each."""

    width: int
    height: int
    left: int
    right: int
    bottom: int
    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]
    zero: float | None
    title: str


def whiskers(
    lines: Sequence[Line], title: str, *, width: int = 560, left: int = 170, figures: int = 0, zero: bool = False
) -> Whiskers:
    """Rows of dots with intervals on one axis.

    Parameters
    ----------
    left, figures
        Room for labels on the left, and for the figures in words on the right, px.
    zero
        Include and mark zero, for differences.
    """
    right = width - max(figures, 18)
    values = [estimate.value for line in lines for estimate in line.estimates]
    low, high = min(value.low for value in values), max(value.high for value in values)
    scale, ticks = axis(min(low, 0.0) if zero else low, max(high, 0.0) if zero else high, left, right)
    rows: list[Row] = []
    y = _HEAD
    for line in lines:
        height = (
            _ROW
            + (_DETAIL if line.detail and len(line.estimates) < 2 else 0)
            + _EXTRA_MARK * max(1, len(line.estimates))
        )
        first = y + (height - _EXTRA_MARK * (len(line.estimates) - 1)) / 2
        marks = tuple(
            Mark(
                e.system, scale(e.value.mean), scale(e.value.low), scale(e.value.high), first + n * _EXTRA_MARK, e.text
            )
            for n, e in enumerate(line.estimates)
        )
        rows.append(Row(line.label, line.detail, line.figures, y + height / 2, marks))
        y += height
    return Whiskers(width, y + _FOOT, left, right, y, tuple(rows), ticks, scale(0.0) if zero else None, title)


@dataclass(frozen=True)
class Curve:
    system: str
    points: tuple[Mark, ...]

    @property
    def path(self) -> str:
        return " ".join(f"{point.x},{point.y}" for point in self.points)


@dataclass(frozen=True)
class Curves:
    """Lines over few places on the x axis; every point has its interval (`low`, `high` are heights)."""

    width: int
    height: int
    left: int
    right: int
    bottom: int
    curves: tuple[Curve, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    title: str
    marked: float | None = None


def curves(
    values: dict[str, list[Estimate]],
    places: Sequence[str],
    title: str,
    *,
    width: int = 350,
    height: int = 250,
    marked: int | None = None,
) -> Curves:
    """A line for every system, an estimate for every place; `marked` is the place with a line of its own."""
    left, right, top, bottom = 40, width - 14, 10, height - 26
    estimates = [estimate for line in values.values() for estimate in line]
    low, high = min(e.value.low for e in estimates), max(e.value.high for e in estimates)
    scale, y_ticks = axis(low, high, bottom, top, about=4)
    spread = 3.0 if len(places) < 8 else 0.0
    at = [left + 16 + n * (right - left - 32) / max(1, len(places) - 1) for n in range(len(places))]
    drawn: list[Curve] = []
    for n, (system, line) in enumerate(values.items()):
        shift = spread * (n - (len(values) - 1) / 2)
        points = tuple(
            Mark(system, round(x + shift, 1), scale(e.value.low), scale(e.value.high), scale(e.value.mean), e.text)
            for x, e in zip(at, line, strict=True)
        )
        drawn.append(Curve(system, points))
    x_ticks = tuple(Tick(round(x, 1), place) for x, place in zip(at, places, strict=True))
    line_at = round(at[marked], 1) if marked is not None else None
    return Curves(width, height, left, right, bottom, tuple(drawn), x_ticks, y_ticks, title, line_at)


@dataclass(frozen=True)
class WinLoss:
    """Differences of single questions, best first, as two areas; counts of questions won, lost and equal."""

    width: int
    height: int
    left: int
    right: int
    zero: float
    wins: str
    losses: str
    y_ticks: tuple[Tick, ...]
    n_won: int
    n_lost: int
    n_same: int
    title: str


def win_loss(differences: Sequence[float], title: str, *, width: int = 540, height: int = 220) -> WinLoss:
    """Sorted differences from the greatest win to the greatest loss."""
    left, right, top, bottom = 40, width - 8, 10, height - 10
    ordered = np.sort(np.asarray(differences, float))[::-1]
    limit = max(0.25, float(np.abs(ordered).max()))
    scale, y_ticks = axis(-limit, limit, bottom, top, about=4)
    shown = ordered[np.linspace(0, len(ordered) - 1, min(len(ordered), _MAX_STEPS)).round().astype(int)]
    step = (right - left) / len(shown)
    won, lost = int((ordered > 0).sum()), int((ordered < 0).sum())
    bars = [(left + n * step, float(value)) for n, value in enumerate(shown)]
    wins = _steps([(x, scale(value)) for x, value in bars if value > 0], step, scale(0.0))
    losses = _steps([(x, scale(value)) for x, value in bars if value < 0], step, scale(0.0))
    same = len(ordered) - won - lost
    return WinLoss(width, height, left, right, scale(0.0), wins, losses, y_ticks, won, lost, same, title)


def _steps(bars: Sequence[tuple[float, float]], step: float, zero: float) -> str:
    """The outline of bars that stand side by side, as an SVG path; empty without bars."""
    if not bars:
        return ""
    tops = " ".join(f"V{y:.1f} H{x + step:.1f}" for x, y in bars)
    return f"M{bars[0][0]:.1f} {zero} {tops} V{zero} Z"
