"""What a report comes to, in plain words: which system the evidence favours, whether its gain is more than chance, and
what that means for the champion.
"""

import re
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from acronis_pipeline.evaluate.champion import reigning
from acronis_pipeline.evaluate.decision import Decision, decide, needs_standing
from acronis_pipeline.evaluate.html.names import label
from acronis_pipeline.evaluate.html.rendering import percent, signed
from acronis_pipeline.evaluate.metrics import PRIMARY
from acronis_pipeline.evaluate.report import Report, SystemScore
from acronis_pipeline.evaluate.significance import Difference
from acronis_pipeline.store import Store

Tone = Literal["better", "open", "worse"]
_NOT_OURS = ("champion", "external:")
"""Systems that are shown for comparison and are not this recipe's to offer."""
_UNTRAINED = ("bm25", "base", "hybrid_base")
_ASKED = {"synthetic": "synthetic test questions", "human": "questions by people"}


@dataclass(frozen=True)
class Verdict:
    """`favoured` is the system that the champion's rules choose from this report (by its nDCG@10 on the main set where
    they cannot be applied), `badge` and `tone` its result in a word, `outlook` what those rules say.
    """

    tone: Tone
    badge: str
    favoured: str
    question_set: str
    sentences: tuple[str, ...]
    outlook: str | None

    @property
    def markdown(self) -> str:
        """Badge and sentences in bold type and plain, for where there is no page."""
        return "\n\n".join((f"**{self.badge}.** {' '.join(self.sentences)}", *([self.outlook] if self.outlook else [])))


def verdict(store: Store, report: Report, results: pa.Table) -> Verdict:
    """Judge a report by its own figures and today's champion; `results` are its rows of question_results."""
    question_set = next((score.question_set for score in report.scores if score.question_set == "synthetic"), "human")
    decision, outlook = _decision(store, report, results)
    best = _best(report, question_set)
    chosen = report.score(decision.winner.system.name, question_set) if decision else None
    favoured = chosen or best
    sentences = (_finding(report, favoured), _against_base(report, favoured), _elsewhere(report, favoured))
    tone, badge = _in_a_word(report, favoured)
    said = tuple(sentence for sentence in sentences if sentence)
    return Verdict(tone, badge, favoured.system.name, question_set, said, outlook)


def _decision(store: Store, report: Report, results: pa.Table) -> tuple[Decision | None, str | None]:
    """What the champion's rules make of this report alone, and that in words."""
    if not report.validation:
        return None, None
    champion = reigning(store)
    if champion and needs_standing([report], champion):
        return (
            None,
            f"The champion, {champion.contender}, is not part of this report; the champion asset compares them.",
        )
    decision = decide([report], results, champion)
    return decision, f"By the champion's rules, as of this report: {_typeset(decision.reason)}"


def _best(report: Report, question_set: str) -> SystemScore:
    ours = [s for s in report.scores if s.question_set == question_set and not s.system.name.startswith(_NOT_OURS)]
    return max(ours, key=lambda score: round(score.metrics[PRIMARY].mean, 6))


def _finding(report: Report, favoured: SystemScore) -> str:
    scores = [score for score in report.scores if score.system == favoured.system]
    shares = " and for ".join(
        f"{percent(score.metrics['hit_rate_at_5'].mean)} of {score.n:,} {_ASKED[score.question_set]}"
        for score in scores
    )
    return f"The evidence favours {label(favoured.system.name)}: its first five hold a right passage for {shares}."


def _against_base(report: Report, favoured: SystemScore) -> str:
    """The gain over the untouched base, on each set."""
    name = favoured.system.name
    if name == "base":
        return "Nothing that was trained is proven to beat it."
    compared = [c for part in _ASKED if (c := report.comparison(name, "base", part))]
    said = [f"{_gain(c.difference)} on {_ASKED[c.question_set]}, {_chance(c.difference)}" for c in compared]
    return f"Against the untouched base that is nDCG@10 {'; '.join(said)}." if said else ""


def _elsewhere(report: Report, favoured: SystemScore) -> str:
    """Who leads on a set, where that is another system."""
    leads: list[str] = []
    for question_set, asked in _ASKED.items():
        own = report.score(favoured.system.name, question_set)
        best = _best(report, question_set) if own else None
        if own and best and best.metrics[PRIMARY].mean > own.metrics[PRIMARY].mean + 0.0005:
            leads.append(
                f"on {asked} {label(best.system.name)} leads "
                f"({best.metrics[PRIMARY].mean:.3f} to {own.metrics[PRIMARY].mean:.3f})"
            )
    text = "; ".join(leads)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _in_a_word(report: Report, favoured: SystemScore) -> tuple[Tone, str]:
    name = favoured.system.name
    gain = report.comparison(name, "base", favoured.question_set)
    tuned = report.comparison("fine_tuned", "base", favoured.question_set)
    if gain and gain.difference.low > 0 and name not in _UNTRAINED:
        return "better", f"Better than its base on {_ASKED[favoured.question_set]}"
    if tuned and tuned.difference.high < 0:
        return "worse", f"Worse than its base on {_ASKED[favoured.question_set]}"
    if name in _UNTRAINED and report.score("fine_tuned", favoured.question_set):
        return "open", "Training brought nothing that is proven"
    return "open", "No gain proven"


def _gain(difference: Difference) -> str:
    return f"{signed(difference.mean)} (95 %: {signed(difference.low)} to {signed(difference.high)})"


def _chance(difference: Difference) -> str:
    if difference.low > 0:
        return "more than chance explains"
    return "a loss beyond chance" if difference.high < 0 else "which may be chance"


def _typeset(text: str) -> str:
    """Minus signs for hyphens before numbers."""
    return re.sub(r"(?<![\w.])-(?=\d)", "−", text)
