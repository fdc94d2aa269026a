"""Which system should answer questions: a decision on evidence.

The test split never chooses: the candidate is the best system by validation, and the test split only says whether it
may replace what stands there. However many systems were tried, one alone meets the test split; a second one does so
only where people's questions, which are other questions, ruled the first one out, and then it must win on the test
split, since people's questions have been used. So the chance of promoting one of many equal systems is that of
promoting one, and needs no correction for their number.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from acronis_pipeline.champion.record import Champion, Contender
from acronis_pipeline.core.errors import ChampionError, counted
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.evaluate.metrics import PRIMARY
from acronis_pipeline.evaluate.report import Comparison, Forgetting, Report
from acronis_pipeline.evaluate.scoring import ResultRow, compare
from acronis_pipeline.evaluate.setup import BASELINES, CHAMPION
from acronis_pipeline.evaluate.significance import Difference
from acronis_pipeline.retrieve import System

_HUMAN_MARGIN = 0.02
"""Loss of nDCG@10 on people's questions that is still taken as none."""
_MIN_HUMAN = 20
"""Questions by people below which a mean says little."""
_TIE_BREAK_P = 0.02
"""p-value below which people's questions decide what the test questions leave open."""

Barred = Callable[[Contender], str | None]
"""Why a contender may not be promoted whatever it can do; None if it may."""
_Scored = tuple[Contender, float | None]
"""A contender with its nDCG@10 on validation, None if it was not asked there."""


@dataclass(frozen=True)
class Decision:
    """Whether to move the pointer and to whom.

    `evidence` compares candidate minus opponent, and `vetoed` those whom people's questions excluded before it.
    """

    promote: bool
    winner: Contender
    reason: str
    evidence: tuple[Comparison, ...] = ()
    vetoed: tuple[Comparison, ...] = ()


def decide(
    reports: Sequence[Report],
    results: pa.Table,
    champion: Champion | None = None,
    asked_again: Report | None = None,
    *,
    barred: Barred = lambda _: None,
) -> Decision:
    """Compare the best candidate with the current champion, or with the best untouched baseline if there is none.

    The candidate is promoted if the whole paired interval of nDCG@10 on the synthetic test questions lies above zero
    and people's questions are answered no worse (their veto); or if the synthetic questions leave it open and people's
    questions decide for it. After a veto the next best candidate by validation gets its turn on the test questions.
    External systems are compared in reports and never promoted.

    Parameters
    ----------
    reports
        The newest report of every recipe. Those on other questions than the newest report's are left out.
    results
        Per-question results of these reports, and of `asked_again`.
    champion
        The current one.
    asked_again
        The champion asked today's questions (`evaluate_alone`); needed unless a report has that very system (see
        `must_be_asked_again`).
    barred
        Asked of candidates only, best first.

    Raises
    ------
    ChampionError
        If there is no report, or the champion's results on the reports' questions are missing.
    """
    comparable = same_questions(reports)
    contenders = [pair for report in comparable for pair in _contenders(report)]
    opponent = _opponent(comparable, contenders, champion, asked_again, results)
    name = str(champion.contender if champion else opponent)
    vetoed: list[Comparison] = []
    left_out: list[str] = []
    evidence: tuple[Comparison, ...] = ()
    text = "no other system is better on validation."
    for candidate in _better_by_validation(contenders, opponent):
        if why := barred(candidate):
            left_out.append(f"{candidate} ({why})")
            text = "nobody else is better on validation."
            continue
        evidence = _evidence(results, candidate, opponent, name)
        finding = _finding(str(candidate), name, evidence, tie_break=not vetoed)
        text = finding.text
        if finding.wins:
            takes = f"replaces {name}" if champion else f"is the first champion, ahead of {name}"
            said = f"{candidate} {takes}: {text}{_remarks(vetoed, left_out, reports, comparable)}"
            return Decision(True, candidate, said + _warning(comparable, candidate), evidence, tuple(vetoed))
        if finding.vetoed_by is None:
            break
        vetoed.append(finding.vetoed_by)
        text = "nobody else is better on validation."
    keeps = f"{name} stays champion" if champion else f"{name} is the first champion"
    said = f"{keeps}: {text}{_remarks(vetoed, left_out, reports, comparable)}"
    return Decision(champion is None, opponent, said, evidence, tuple(vetoed))


def must_be_asked_again(reports: Sequence[Report], champion: Champion | None) -> bool:
    """Whether the champion must be asked today's questions apart, because no report holds its very system."""
    if champion is None:
        return False
    held = {contender.ranking_key for report in same_questions(reports) for contender, _ in _contenders(report)}
    return champion.contender.ranking_key not in held


def same_questions(reports: Sequence[Report]) -> list[Report]:
    """The newest report and those that can be compared with it: on the same passages, asked the same questions.

    Raises
    ------
    ChampionError
        If there is no report.
    """
    if not reports:
        raise ChampionError("there is no report to choose a champion from; materialize eval_report of a recipe first")
    newest = max(reports, key=lambda report: report.created_at)
    return [report for report in reports if report.questions_id == newest.questions_id]


def asked(results: pa.Table, report: Report) -> str:
    """Digest of the questions of a report, whatever the passages were like."""
    questions = {
        (row["question_set"], row["query"])
        for row in results.select(["report_id", "question_set", "query"]).to_pylist()
        if row["report_id"] == report.report_id
    }
    return digest(*(text for question in sorted(questions, key=str) for text in map(str, question)))


def forgotten(reports: Sequence[Report], contender: Contender) -> Forgetting | None:
    """Where a contender's model, tuned by a recipe, got worse beyond what is tolerated on what is not of the site."""
    if contender.model_id is None:
        return None
    for report in reports:
        tuned = report.score("fine_tuned") or report.score("fine_tuned", "human")
        if tuned and tuned.model_id == contender.model_id:
            return next((probe for probe in report.forgetting if probe.flagged), None)
    return None


def lost(probe: Forgetting) -> str:
    """What a flagged model lost, in words."""
    d = probe.difference
    return (
        f"its model lost nDCG@10 {d.mean:+.3f} [{d.low:+.3f}, {d.high:+.3f}] on {probe.n} questions that have nothing "
        f"to do with the site ({probe.probe})"
    )


def _warning(reports: Sequence[Report], winner: Contender) -> str:
    probe = forgotten(reports, winner)
    return f" Mind that {lost(probe)}: it is for this site alone." if probe else ""


def _remarks(
    vetoed: Sequence[Comparison], left_out: Sequence[str], reports: Sequence[Report], comparable: Sequence[Report]
) -> str:
    older = sorted(report.recipe for report in reports if report not in comparable)
    remarks = [
        _vetoes(vetoed) if vetoed else "",
        f" Not considered: {'; '.join(left_out)}." if left_out else "",
        f" Left out, evaluated on older passages or questions: {', '.join(older)} (materialize lancedb_index and "
        "eval_report of it: nothing is trained for that)."
        if older
        else "",
    ]
    return "".join(remarks)


def _vetoes(vetoed: Sequence[Comparison]) -> str:
    losses = (f"{lost.a} ({_figures(lost)} on {counted(lost.difference.n, 'human question')})" for lost in vetoed)
    return f" Vetoed, for {veto_rule(vetoed[0])} on people's questions: {'; '.join(losses)}."


def _contenders(report: Report) -> list[_Scored]:
    """The systems of a report with their validation score."""
    model_of = {score.system: score.model_id for score in report.scores}
    return [
        (Contender(report.recipe, system, model_of[system], report.report_id), report.validation.get(system.name))
        for system in report.systems
    ]


def may_be_champion(system: System) -> bool:
    """Not a service of others, and not the champion of the day on which the report was made, which has its own row."""
    return not system.name.startswith("external:") and system.name != CHAMPION


def _ranked(contenders: Sequence[_Scored]) -> list[tuple[Contender, float]]:
    """Best by validation first; the simpler system (earlier in the report) of equally good ones."""
    scored = [(contender, round(score, 6)) for contender, score in contenders if score is not None]
    return sorted(scored, key=lambda pair: -pair[1])


def _better_by_validation(contenders: Sequence[_Scored], opponent: Contender) -> list[Contender]:
    """Candidates that validation puts before the opponent, best first.

    If the opponent has no validation score (an older model), all are candidates.
    """
    ranked = _ranked(contenders)
    known = next((score for contender, score in ranked if contender.ranking_key == opponent.ranking_key), None)
    better: dict[object, Contender] = {}
    for contender, score in ranked:
        ahead = known is None or score > known
        if ahead and may_be_champion(contender.system) and contender.ranking_key != opponent.ranking_key:
            better.setdefault(contender.ranking_key, contender)
    return list(better.values())


def _opponent(
    reports: Sequence[Report],
    contenders: Sequence[_Scored],
    champion: Champion | None,
    asked_again: Report | None,
    results: pa.Table,
) -> Contender:
    if champion is None:
        return _best_baseline([pair for pair in contenders if pair[0].system.name in BASELINES], results)
    wanted = champion.contender.ranking_key
    if present := next((contender for contender, _ in contenders if contender.ranking_key == wanted), None):
        return present
    if asked_again is None or asked_again.questions_id != reports[0].questions_id:
        raise ChampionError(
            f"champion {champion.contender} was not asked the questions of the newest report "
            f"({reports[0].recipe}, {reports[0].created_at[:19]}), whose passages or questions are no longer today's; "
            "materialize lancedb_index and eval_report of a recipe, then champion"
        )
    return replace(champion.contender, report_id=asked_again.report_id)


def _best_baseline(baselines: Sequence[_Scored], results: pa.Table) -> Contender:
    """Best untouched baseline by validation, unless people's questions prove another one better."""
    if not baselines:
        raise ChampionError(
            f"the newest report holds neither {' nor '.join(BASELINES)}, so there is nothing to compare the first "
            "champion with; materialize eval_report again"
        )
    best = next(iter(_ranked(baselines)), baselines[0])[0]
    for other, _ in baselines:
        human = next((c for c in _evidence(results, other, best, str(best)) if c.question_set == "human"), None)
        if human and human.difference.low > 0:
            best = other
    return best


def _evidence(results: pa.Table, candidate: Contender, opponent: Contender, name: str) -> tuple[Comparison, ...]:
    """Comparisons with the opponent, called `name`, on the synthetic and, where there are any, the human questions."""
    found: list[Comparison] = []
    for question_set in ("synthetic", "human"):
        a, b = (_rows_of(results, contender, question_set) for contender in (candidate, opponent))
        if a and b:
            found.append(replace(compare(question_set, a, b), a=str(candidate), b=name))
    return tuple(found)


def _rows_of(results: pa.Table, contender: Contender, question_set: str) -> list[ResultRow]:
    import pyarrow.compute as pc

    wanted = {"report_id": contender.report_id, "system": contender.system.name, "question_set": question_set}
    conditions = [pc.field(column) == value for column, value in wanted.items()]
    rows = results.select([*wanted, "question_id", "page_group", PRIMARY])
    return rows.filter(conditions[0] & conditions[1] & conditions[2]).to_pylist()


@dataclass(frozen=True)
class _Finding:
    text: str
    wins: bool
    vetoed_by: Comparison | None = None


def _finding(candidate: str, opponent: str, evidence: Sequence[Comparison], *, tie_break: bool) -> _Finding:
    """The finding in plain language, and whether the candidate may take over; by people's questions if `tie_break`."""
    by_set = {comparison.question_set: comparison for comparison in evidence}
    test, human = by_set.get("synthetic"), by_set.get("human")
    if test is None:
        return _Finding(f"there are no test questions to show that {candidate} is better than {opponent}.", False)
    on_test = f"{_figures(test)} on {counted(test.difference.n, 'test question')}"
    on_human = "no human questions to check"
    if human:
        on_human = f"{_figures(human)} on {counted(human.difference.n, 'human question')}"
    if human and _worse_for_people(human.difference):
        return _Finding("", False, vetoed_by=human)
    if test.difference.low > 0:
        return _Finding(f"{on_test}; {on_human}.", True)
    if tie_break and human and _better_for_people(human.difference) and test.difference.high >= 0:
        return _Finding(f"the test questions leave it open ({on_test}), people's decide ({on_human}).", True)
    return _Finding(f"the lead of {candidate} on validation is not proven ({on_test}; {on_human}).", False)


def _better_for_people(difference: Difference) -> bool:
    """Better beyond the doubt that the test questions must overcome.

    This is a second way to win. If it were as wide as the first, one of twenty equal systems would be promoted: 5.7 %
    of 1,000 simulated ones were (`benchmarks/significance.py`).
    """
    return difference.low > 0 and difference.p_value < _TIE_BREAK_P


def _worse_for_people(difference: Difference) -> bool:
    """Worse by more than the margin, or, on a handful of questions, worse beyond chance.

    The interval of seventy questions is about .1 wide to each side: waiting for proof of harm would wave through a
    system that people find visibly worse.
    """
    if difference.n < _MIN_HUMAN:
        return difference.high < 0
    return difference.mean < -_HUMAN_MARGIN


def veto_rule(human: Comparison) -> str:
    """What people's questions exclude for, in words."""
    few = human.difference.n < _MIN_HUMAN
    return "a loss beyond chance" if few else f"a loss of more than {_HUMAN_MARGIN} (proven or not)"


def _figures(comparison: Comparison) -> str:
    d = comparison.difference
    return f"nDCG@10 {d.mean:+.3f} [{d.low:+.3f}, {d.high:+.3f}]"
