"""What a visit found: a page, another address, or why there is none."""

from dataclasses import dataclass
from typing import Any, Literal

from acronis_pipeline.crawl.judge import page
from acronis_pipeline.crawl.judge.formats import NOT_READ, Formats
from acronis_pipeline.crawl.judge.page import Reading
from acronis_pipeline.crawl.judge.scope import Scope
from acronis_pipeline.crawl.site import retries
from acronis_pipeline.crawl.site.fetch import Answer

Outcome = Literal["page", "redirect", "alias", "refused", "failed"]

_ABSENT = frozenset({404, 410})


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a visit, as `visits` records it.

    `refused` says that there is nothing to keep, `failed` that we were not shown what there is: what is held of the
    page stays. `reason` is in words fit for counting, `target` the address that a redirect or an alias leads to,
    `status` the HTTP status (301 for redirects that are all permanent, else 302).
    """

    outcome: Outcome
    reason: str | None = None
    target: str | None = None
    status: int | None = None

    @classmethod
    def of(cls, visit: dict[str, Any]) -> "Verdict":
        """From a row of `visits`."""
        return cls(visit["outcome"], visit["reason"], visit["target"], visit["status"])

    @property
    def absent(self) -> bool:
        """A sighting of absence."""
        return self.outcome == "refused" or (self.outcome == "failed" and self.status in _ABSENT)

    @property
    def forbidden(self) -> bool:
        """The site or the settings do not want the page to be kept."""
        return self.outcome == "refused" and self.reason in {page.NOINDEX, page.OTHER_LANGUAGE}

    @property
    def moved_for_good(self) -> bool:
        return self.outcome == "redirect" and self.status == 301

    @property
    def refuses_us(self) -> bool:
        """Whether the server said itself that there is nothing for us, not that it is busy (4xx, but 408, 425, 429)."""
        return self.status is not None and 400 <= self.status < 500 and self.status not in retries.STATUSES

    @property
    def definite(self) -> bool:
        """Whether the site said something: not a time-out, nor that it is busy or broken."""
        if self.outcome != "failed":
            return True
        return self.status is not None and self.status < 500 and self.status != 429


def of_answer(answer: Answer, formats: Formats) -> Verdict | None:
    """What can be said without reading the body; None if it must be read."""
    status = answer.status
    if status != 200:
        return Verdict("failed", f"HTTP {status}", status=status)
    if not formats.reads(answer.media_type):
        return Verdict("refused", f"{NOT_READ}: {answer.media_type}", status=status)
    if answer.truncated:
        return Verdict("failed", "too large", status=status)
    return None


def of_reading(reading: Reading, answer: Answer, scope: Scope, *, live: bool) -> Verdict:
    """What a page that was read is. Of a page that is `live`, emptiness is an accident until proven otherwise."""
    status = answer.status
    if reason := scope.why_not(answer.url) or (reading.no_page if reading.nothing_there else None):
        return Verdict("refused", reason, status=status)
    if reading.no_page == page.NO_CONTENT and not live:
        return Verdict("refused", reading.no_page, status=status)
    if reading.no_page:
        return Verdict("failed", reading.no_page, status=status)
    if reading.alias_of:
        return Verdict("alias", target=reading.alias_of, status=status)
    return Verdict("page", status=status)
