"""How long and how fast to train."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """A linear warm-up over a share of the steps, then a linear fall to zero."""

    steps: int
    learning_rate: float
    warmup: float
    weight_decay: float
    evaluations: int

    def rate_at(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        warmup_steps = self.warmup * self.steps
        rising = (step + 1) / warmup_steps if warmup_steps else 1.0
        falling = (self.steps - step) / (self.steps - warmup_steps)
        return self.learning_rate * min(1.0, rising, falling)

    @property
    def looks(self) -> set[int]:
        """Steps, counted from 1, after which the validation questions are looked at; the last is one of them."""
        return {max(1, round(self.steps * (i + 1) / self.evaluations)) for i in range(self.evaluations)}
