"""What a reader of a report must know before believing its numbers, in plain words."""

from collections.abc import Sequence

from acronis_pipeline.core.errors import counted
from acronis_pipeline.encoders import Windows
from acronis_pipeline.evaluate.questions import EvalQuestion
from acronis_pipeline.evaluate.report import Report
from acronis_pipeline.evaluate.scoring import MIN_QUESTIONS, left_out

_SATURATED = 0.95
_FEW_QUESTIONS, _FEW_GROUPS = 100, 12


def caveats_of(report: Report, asked: Sequence[EvalQuestion], windows: Windows | None = None) -> tuple[str, ...]:
    """Warnings and findings, most important first; `windows` are those of the recipe's base."""
    found = [*_headroom(report), *_lexical_wins(report), *_forgetting(report)]
    found += [*_missed_by_all(report), *_small_samples(report), *_validation(report)]
    lost = sum(not question.relevant for question in asked)
    if lost:
        found.append(f"{counted(lost, 'test question')} without a gold passage in the index: missed by every system.")
    if report.unanswerable:
        asked_apart = counted(len(report.unanswerable), "human question")
        found.append(f"{asked_apart} expecting pages that are not indexed: counted apart.")
    if report.partly_answerable:
        partly = counted(len(report.partly_answerable), "human question")
        found.append(f"{partly} of which some expected pages are not indexed.")
    if small := left_out(report.slices, report.scores):
        named = ", ".join(f"{n} {question_set} by {by}" for (question_set, by), n in small.items())
        found.append(f"Slices of fewer than {MIN_QUESTIONS} questions are not shown: {named}.")
    if windows:
        found.append(f"Passages have several vectors ({windows}) in every dense system, the untouched base too.")
    return tuple(found)


def _headroom(report: Report) -> list[str]:
    base = report.score("base")
    if base is None or base.metrics["hit_rate_at_10"].mean < _SATURATED:
        return []
    reached = base.metrics["hit_rate_at_10"].mean
    return [
        f"No headroom: the untouched base already has the right passage in its top 10 for {reached:.0%} of questions."
    ]


def _lexical_wins(report: Report) -> list[str]:
    tuned = report.comparison("fine_tuned", "bm25")
    if tuned is None or tuned.difference.high >= 0:
        return []
    return [f"BM25 beats the fine-tuned model by {-tuned.difference.mean:.3f} nDCG@10 on synthetic test questions."]


def _forgetting(report: Report) -> list[str]:
    return [
        f"The fine-tuned model forgot: on {found.n} questions that have nothing to do with the site ({found.probe}) "
        f"nDCG@10 fell from {found.base.mean:.3f} to {found.fine_tuned.mean:.3f} "
        f"({found.difference.mean:+.3f} [{found.difference.low:+.3f}, {found.difference.high:+.3f}])."
        for found in report.forgetting
        if found.flagged
    ]


def _missed_by_all(report: Report) -> list[str]:
    """Questions so hard that every system fails all of them are rarer than wrong addresses in a gold file."""
    found: list[str] = []
    for question_set in dict.fromkeys(score.question_set for score in report.scores):
        scores = [score for score in report.scores if score.question_set == question_set]
        if not any(metric.mean for score in scores for metric in score.metrics.values()):
            cause = "do the addresses in the gold file name the pages that answer them?"
            asked = counted(scores[0].n, f"{question_set} question")
            found.append(
                f"Every system misses every one of {asked}" + (f"; {cause}" if question_set == "human" else ".")
            )
    return found


def _small_samples(report: Report) -> list[str]:
    sizes = {score.question_set: (score.n, score.n_groups) for score in report.scores}
    return [
        f"Small sample: {counted(n, f'{question_set} question')} about {counted(groups, 'page')}; "
        "only large differences can show."
        for question_set, (n, groups) in sizes.items()
        if n < _FEW_QUESTIONS or groups < _FEW_GROUPS
    ]


def _validation(report: Report) -> list[str]:
    if report.n_validation:
        return []
    return ["No validation questions: the hybrids mix both scores half and half, and nothing was chosen on evidence."]
