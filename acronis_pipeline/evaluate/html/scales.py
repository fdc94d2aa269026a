"""From values to places on a drawing, and round numbers to label them with."""

import math
from dataclasses import dataclass

_ROUND_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


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
