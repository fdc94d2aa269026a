"""A crawl in sentences, for the terminal and for the Dagster UI."""

from collections.abc import Mapping

from acronis_pipeline.crawl.result import CrawlResult
from acronis_pipeline.site_address import path_of

_MODES = {
    "sweep": "every known address was asked",
    "incremental": "only what the sitemap does not vouch for was asked",
    "changes": "only what was seen to have changed was asked",
}
_MODES_OF_A_FOLDER = {
    "sweep": "every file was looked at",
    "incremental": "only files with another time of change were looked at",
    "changes": "only files that were seen to have changed were looked at",
}
_BROKEN_LINKS = frozenset({"HTTP 404", "HTTP 410"})
_REASONS = 6
"""Named in a sentence, at most; all of them are in the counts."""


def sentences(result: CrawlResult) -> list[str]:
    """What a crawl did, found and could not get, most important first."""
    said = [f"{result.n_live:,} pages are live ({_change(result)}), {result.previous_n_live:,} before."]
    if result.outage:
        said.insert(0, f"Taken for an outage, so no absence was counted: {result.outage}.")
    if result.missing or result.gone:
        said.append(
            f"{result.missing:,} did not show and wait for confirmation; {result.gone:,} are confirmed gone, "
            "with their content kept."
        )
    said.append(f"{result.mode.capitalize()}: {_effort(result)}.")
    if result.resumed:
        said.append(f"{result.resumed:,} answers are those of a crawl that was interrupted, not asked for again.")
    if result.lastmod_lies:
        said.append(f"{result.lastmod_lies:,} pages had changed although the sitemap's lastmod said otherwise.")
    broken = {reason: count for reason, count in result.failed.items() if reason in _BROKEN_LINKS}
    failed = {reason: count for reason, count in result.failed.items() if reason not in _BROKEN_LINKS}
    if broken:
        said.append(f"Links to nothing: {reasons(broken)}.")
    if failed:
        said.append(f"Failed: {reasons(failed)}; pages among these stay as they were.")
    if result.skipped:
        said.append(f"Not taken in: {reasons(result.skipped)}.")
    return said


def as_markdown(result: CrawlResult) -> str:
    """The same as a list."""
    return "\n".join(f"- {sentence}" for sentence in sentences(result))


def reasons(counts: Mapping[str, int]) -> str:
    """Counts by reason, the largest first: ``robots (12), HTTP 500 (3)``."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    named = ", ".join(f"{reason} ({count:,})" for reason, count in ordered[:_REASONS])
    rest = sum(count for _, count in ordered[_REASONS:])
    return f"{named}, other reasons ({rest:,})" if rest else named


def share(failed: Mapping[str, int], n_kept: int, *reasons: str) -> float:
    """Failures for these reasons (any, if none is named) as a share of the addresses that were there or failed.

    Without 404 and 410: those tell of broken links, not of pages that we could not get.
    """
    there = {reason: count for reason, count in failed.items() if reason not in _BROKEN_LINKS}
    counted = sum(count for reason, count in there.items() if reason in reasons or not reasons)
    return counted / max(n_kept + sum(there.values()), 1)


def _effort(result: CrawlResult) -> str:
    """What was asked for and what that took; a folder's files are no requests."""
    n, same, trusted = f"{result.requests:,}", f"{result.not_modified:,}", f"{result.trusted:,}"
    if path_of(result.site_url) is not None:
        left = f", {trusted} not opened" if result.trusted else ""
        how = f"{n} files in {result.duration_s:.0f} s, {same} as they were{left}"
        return f"{_MODES_OF_A_FOLDER[result.mode]}. {how}"
    left = f", {trusted} pages not asked for as their lastmod stands" if result.trusted else ""
    return f"{_MODES[result.mode]}. {n} requests in {result.duration_s:.0f} s, {same} answered 304{left}"


def _change(result: CrawlResult) -> str:
    counts = {
        "new": result.new,
        "changed": result.changed,
        "returned": result.returned,
        "gone": result.gone,
    }
    named = [f"{count:,} {what}" for what, count in counts.items() if count]
    return ", ".join(named) or "nothing changed"
