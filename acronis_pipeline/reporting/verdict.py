"""What a report comes to, in plain words: which system the evidence favours, whether its gain is more than chance, and
what that means for the champion.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from acronis_pipeline.champion import current_champion
from acronis_pipeline.champion.decision import Decision, decide, must_be_asked_again, veto_rule
from acronis_pipeline.evaluate.metrics import PRIMARY
from acronis_pipeline.evaluate.report import Report, SystemScore
from acronis_pipeline.evaluate.setup import BASELINES
from acronis_pipeline.evaluate.significance import Difference
from acronis_pipeline.reporting.rendering import label, percent, signed
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
    sentences = (
        _finding(report, favoured),
        _against_base(report, favoured),
        _elsewhere(report, favoured),
        _excluded(report, favoured, decision) if decision else "",
    )
    tone, badge = _in_a_word(report, favoured)
    said = tuple(sentence for sentence in sentences if sentence)
    return Verdict(tone, badge, favoured.system.name, question_set, said, outlook)


def _decision(store: Store, report: Report, results: pa.Table) -> tuple[Decision | None, str | None]:
    """What the champion's rules make of this report alone, and that in words."""
    if not report.validation:
        return None, None
    champion = current_champion(store)
    if champion and must_be_asked_again([report], champion):
        outlook = f"The champion, {champion.contender}, is not part of this report; the champion asset compares them."
        return decide([report], results), outlook
    decision = decide([report], results, champion)
    return decision, f"By the champion's rules, as of this report: {_in_words_of_the_page(decision.reason, report)}"


def _best(report: Report, question_set: str) -> SystemScore:
    ours = [s for s in report.scores if s.question_set == question_set and not s.system.name.startswith(_NOT_OURS)]
    return max(ours, key=lambda score: round(score.metrics[PRIMARY].mean, 6))


def _finding(report: Report, favoured: SystemScore) -> str:
    scores = [score for score in report.scores if score.system == favoured.system]
    shares = " and for ".join(
        f"{percent(score.metrics['hit_rate_at_5'].mean)} of {score.n:,} {_ASKED[score.question_set]}"
        for score in scores
    )
    name = label(favoured.system.name)
    begins = f"The evidence favours {name}"
    if _leads_nowhere(report, favoured):
        begins = f"The champion's rules choose {name}, although it leads on no set of questions"
    return f"{begins}: its first five hold a right passage for {shares}."


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
    for own in _sets(report, favoured):
        if best := _ahead(report, own):
            compared = _compared(report, own, best)
            doubt = ", which may be chance" if compared and compared.low <= 0 <= compared.high else ""
            leads.append(
                f"on {_ASKED[own.question_set]} {label(best.system.name)} leads "
                f"({best.metrics[PRIMARY].mean:.3f} to {own.metrics[PRIMARY].mean:.3f}{doubt})"
            )
    text = "; ".join(leads)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _excluded(report: Report, favoured: SystemScore, decision: Decision) -> str:
    """Why those ahead on the main set were not chosen, where people's questions ruled them out."""
    lost = {
        label(score.system.name): -veto.difference.mean
        for veto in decision.vetoed
        for score in report.scores
        if score.question_set == favoured.question_set
        and veto.a in (score.system.name, f"{score.system.name} of recipe {report.recipe}")
        and score.metrics[PRIMARY].mean > favoured.metrics[PRIMARY].mean
    }
    if not lost:
        return ""
    least, most = (f"{end:.3f}" for end in (min(lost.values()), max(lost.values())))
    amount = least if least == most else f"{least} to {most}"
    opponent = _in_words_of_the_page(decision.vetoed[0].b, report)
    many = len(lost) > 1
    return (
        f"{_listed(list(lost))} {'do' if many else 'does'} better on {_ASKED[favoured.question_set]}, but "
        f"{'lose' if many else 'loses'} {amount} nDCG@10 on people's against {opponent}. The rules exclude "
        f"{'them' if many else 'it'} for {veto_rule(decision.vetoed[0])}; of the others they choose "
        f"{label(favoured.system.name)}."
    )


def _sets(report: Report, favoured: SystemScore) -> list[SystemScore]:
    """The system's scores, one a set of questions."""
    return [score for name in _ASKED if (score := report.score(favoured.system.name, name))]


def _ahead(report: Report, own: SystemScore) -> SystemScore | None:
    """Who of the recipe's systems is the best on a set, if visibly better than this one."""
    best = _best(report, own.question_set)
    return best if best.metrics[PRIMARY].mean > own.metrics[PRIMARY].mean + 0.0005 else None


def _leads_nowhere(report: Report, favoured: SystemScore) -> bool:
    return all(_ahead(report, own) for own in _sets(report, favoured))


def _compared(report: Report, own: SystemScore, other: SystemScore) -> Difference | None:
    """Of two systems, whichever way round the report compares them."""
    a, b, question_set = own.system.name, other.system.name, own.question_set
    found = report.comparison(a, b, question_set) or report.comparison(b, a, question_set)
    return found.difference if found else None


def _in_a_word(report: Report, favoured: SystemScore) -> tuple[Tone, str]:
    name = favoured.system.name
    gain = report.comparison(name, "base", favoured.question_set)
    tuned = report.comparison("fine_tuned", "base", favoured.question_set)
    proven = gain and gain.difference.low > 0 and name not in _UNTRAINED
    if proven and _leads_nowhere(report, favoured):
        return "open", "Better than its base, but not the best on any set of questions"
    if proven:
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


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _in_words_of_the_page(text: str, report: Report) -> str:
    """The systems of the report by the names that the page has for them, and minus signs for hyphens before numbers."""
    for system in sorted((system.name for system in report.systems), key=len, reverse=True):
        own = rf"(?<![\w/-]){re.escape(system)}"
        pattern = (
            rf"{own}(?![\w/-])" if system in BASELINES else rf"{own} of recipe {re.escape(report.recipe)}(?![\w/-])"
        )
        text = re.sub(pattern, label(system), text)
    return re.sub(r"(?<![\w.])-(?=\d)", "−", text)
