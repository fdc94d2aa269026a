"""What a run may use and has used of a language model: tokens and money."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from acronis_pipeline.core.settings import LlmSettings
from acronis_pipeline.llm.exchange import Prompt, Reply

BUDGET_SPENT = "not asked: the budget is spent"
_MILLION = 1_000_000


@dataclass(frozen=True)
class LlmUsage:
    """What a run asked of a model and paid for; cached answers cost nothing, retries may have.

    `failures` counts requests and answers that gave nothing, by reason.
    """

    requests: int = 0
    cached: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    failures: Mapping[str, int] = field(default_factory=dict)


class Budget:
    """Tokens and cost of a run against their limits.

    A request is let through only if the limits hold even if it, and all others under way, use every token they may: no
    limit is passed by more than the error of a prompt's estimate.
    """

    def __init__(self, settings: LlmSettings) -> None:
        self._settings = settings
        self._reserved_tokens = 0
        self._reserved_usd = 0.0
        self.n_under_way = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def cost_usd(self) -> float:
        return self._cost_usd(self.prompt_tokens, self.completion_tokens)

    def reserve(self, prompt: Prompt) -> bool:
        """Set aside what a request may use; False if that would pass a limit."""
        tokens, usd = prompt.tokens_at_most, self._worst_usd(prompt)
        limit, limit_usd = self._settings.max_tokens_total, self._settings.budget_usd
        if limit is not None and self.tokens + self._reserved_tokens + tokens > limit:
            return False
        if limit_usd is not None and self.cost_usd + self._reserved_usd + usd > limit_usd:
            return False
        self._reserved_tokens += tokens
        self._reserved_usd += usd
        self.n_under_way += 1
        return True

    def settle(self, prompt: Prompt, reply: Reply | None) -> None:
        """Put what was really used in the place of the reservation."""
        self._reserved_tokens -= prompt.tokens_at_most
        self._reserved_usd -= self._worst_usd(prompt)
        self.n_under_way -= 1
        if reply:
            self.charge(reply)

    def charge(self, reply: Reply) -> None:
        """Count a reply."""
        self.prompt_tokens += reply.prompt_tokens
        self.completion_tokens += reply.completion_tokens

    def __str__(self) -> str:
        cost = f", ${self.cost_usd:.2f}" if self.cost_usd else ""
        return f"{self.prompt_tokens:,} + {self.completion_tokens:,} tokens{cost}"

    def _worst_usd(self, prompt: Prompt) -> float:
        return self._cost_usd(prompt.prompt_tokens_estimate, prompt.max_tokens or 0)

    def _cost_usd(self, prompt_tokens: int, completion_tokens: int) -> float:
        settings = self._settings
        return (
            prompt_tokens * settings.prompt_usd_per_million + completion_tokens * settings.completion_usd_per_million
        ) / _MILLION
