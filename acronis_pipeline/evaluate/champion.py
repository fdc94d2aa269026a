"""Which system answers questions: a decision on evidence, and the history of such decisions.

The test split never chooses: the candidate is the best system by validation, and the test split only says whether it
may replace what stands there.
"""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

import pyarrow as pa

from acronis_pipeline import schemas
from acronis_pipeline.embedding import ModelIdentity
from acronis_pipeline.evaluate.arena import BASELINES
from acronis_pipeline.evaluate.report import Comparison, Report
from acronis_pipeline.evaluate.scoring import Row, compare
from acronis_pipeline.evaluate.significance import Difference
from acronis_pipeline.retrieve import System
from acronis_pipeline.store import Store

TABLE = "champions"
_HUMAN_MARGIN = 0.02
"""Loss of nDCG@10 on people's questions that is still taken as none."""
_MIN_HUMAN = 20
"""Questions by people below which a mean says little."""


@dataclass(frozen=True)
class Contender:
    """A system of a report: what could answer questions."""

    recipe: str
    system: System
    model_id: str | None
    report_id: str

    def __str__(self) -> str:
        return self.system.name if self.system.name in BASELINES else f"{self.system.name} of recipe {self.recipe}"


@dataclass(frozen=True)
class Champion:
    """A row of the champions table; `identity` and `model_folder` are None for BM25."""

    promotion_id: str
    promoted_at: datetime
    recipe: str
    system: System
    model_id: str | None
    model_folder: str | None
    identity: ModelIdentity | None
    report_id: str
    reason: str


@dataclass(frozen=True)
class Decision:
    """Whether to move the pointer and to whom. `evidence` compares candidate minus opponent."""

    promote: bool
    winner: Contender
    reason: str
    evidence: tuple[Comparison, ...] = ()


def decide(
    reports: Sequence[Report],
    results: pa.Table,
    champion: Champion | None = None,
    standing: Report | None = None,
) -> Decision:
    """Compare the best candidate with whoever reigns, or with the best untouched baseline if nobody does.

    The candidate is promoted if the whole paired interval of nDCG@10 on the synthetic test questions lies above zero
    and people's questions are answered no worse (their veto); or if the synthetic questions leave it open and people's
    questions decide for it. After a veto the next best candidate by validation gets its turn.

    Parameters
    ----------
    reports
        The newest report of every recipe. Those on other questions than the newest report's are left out.
    results
        Per-question results of these reports, and of `standing`.
    champion
        Who reigns.
    standing
        The champion asked today's questions (`evaluate_alone`); needed unless a report has that very system (see
        `needs_standing`).

    Raises
    ------
    ValueError
        If there is no report, or the champion's results on today's questions are missing.
    """
    comparable, left_out = _comparable(reports)
    contenders = [(contender, score) for report in comparable for contender, score in _contenders(report)]
    opponent = _opponent(comparable, contenders, champion, standing, results)
    remark = f" Left out, evaluated on other questions: {', '.join(left_out)}." if left_out else ""
    stays = champion is not None
    keeps = "stays champion" if stays else "is the first champion"
    better = _better_by_validation(contenders, opponent)
    vetoed: list[str] = []
    evidence: tuple[Comparison, ...] = ()
    text = "no other system is better on validation."
    for candidate in better:
        evidence = _evidence(results, candidate, opponent)
        verdict = _verdict(candidate, opponent, evidence)
        text = verdict.text
        if verdict.wins:
            takes = "replaces" if stays else "is the first champion, ahead of"
            reason = f"{candidate} {takes} {opponent}: {text}{_vetoes(vetoed)}{remark}"
            return Decision(True, candidate, reason, evidence)
        if not verdict.vetoed:
            break
        vetoed.append(text)
        text = "nobody else is better on validation."
    return Decision(not stays, opponent, f"{opponent} {keeps}: {text}{_vetoes(vetoed)}{remark}", evidence)


def _vetoes(vetoed: Sequence[str]) -> str:
    return f" Vetoed, being worse on people's questions: {'; '.join(vetoed)}." if vetoed else ""


def needs_standing(reports: Sequence[Report], champion: Champion | None) -> bool:
    """Whether the champion must be asked today's questions apart, because no report holds its very system."""
    if champion is None:
        return False
    comparable, _ = _comparable(reports)
    contenders = (contender for report in comparable for contender, _ in _contenders(report))
    return not any(_is_champion(contender, champion) for contender in contenders)


def _comparable(reports: Sequence[Report]) -> tuple[list[Report], list[str]]:
    """Reports on the newest questions, and the recipes of the others."""
    if not reports:
        raise ValueError("there is no report to decide on; evaluate a recipe first")
    newest = max(reports, key=lambda report: report.created_at)
    same = [report for report in reports if report.questions_id == newest.questions_id]
    return same, sorted(report.recipe for report in reports if report.questions_id != newest.questions_id)


def _contenders(report: Report) -> list[tuple[Contender, float]]:
    """The systems of a report with their validation score."""
    model_of = {score.system: score.model_id for score in report.scores}
    return [
        (Contender(report.recipe, system, model_of[system], report.report_id), report.validation.get(system.name, 0.0))
        for system in report.systems
    ]


def _best(contenders: Sequence[tuple[Contender, float]]) -> Contender:
    """Best by validation; the simpler system (earlier in the report) of equally good ones."""
    return max(contenders, key=lambda pair: round(pair[1], 6))[0]


def _better_by_validation(contenders: Sequence[tuple[Contender, float]], opponent: Contender) -> list[Contender]:
    """Candidates that validation puts before the opponent, best first.

    An opponent without a validation score (an older model) is met by the best candidate alone.
    """
    known = [score for contender, score in contenders if _same(contender, opponent)]
    ranked = sorted(contenders, key=lambda pair: -round(pair[1], 6))
    if not known:
        return [ranked[0][0]]
    better = (contender for contender, score in ranked if round(score, 6) > round(known[0], 6))
    return list({_behaviour(contender.system, contender.model_id): contender for contender in better}.values())


def _opponent(
    reports: Sequence[Report],
    contenders: Sequence[tuple[Contender, float]],
    champion: Champion | None,
    standing: Report | None,
    results: pa.Table,
) -> Contender:
    if champion is None:
        return _best_baseline([pair for pair in contenders if pair[0].system.name in BASELINES], results)
    present = next((contender for contender, _ in contenders if _is_champion(contender, champion)), None)
    if present:
        return present
    if standing is None or standing.questions_id != reports[0].questions_id:
        raise ValueError(
            f"champion {champion.system.name} of recipe {champion.recipe} was not asked today's questions; "
            "evaluate it alone and pass that report"
        )
    return Contender(champion.recipe, champion.system, champion.model_id, standing.report_id)


def _best_baseline(baselines: Sequence[tuple[Contender, float]], results: pa.Table) -> Contender:
    """Best untouched baseline by validation, unless people's questions prove another one better."""
    best = _best(baselines)
    for other, _ in baselines:
        human = next((c for c in _evidence(results, other, best) if c.question_set == "human"), None)
        if human and human.difference.low > 0:
            best = other
    return best


def _is_champion(contender: Contender, champion: Champion) -> bool:
    """The same ranking, whatever the recipe and the table are called."""
    return _behaviour(contender.system, contender.model_id) == _behaviour(champion.system, champion.model_id)


def _same(one: Contender, other: Contender) -> bool:
    return _behaviour(one.system, one.model_id) == _behaviour(other.system, other.model_id)


def _behaviour(system: System, model_id: str | None) -> tuple[object, ...]:
    return system.mode, system.dense_weight, system.fusion, model_id


def _evidence(results: pa.Table, candidate: Contender, opponent: Contender) -> tuple[Comparison, ...]:
    """Comparisons on the synthetic and, where there are any, the human questions."""
    rows = results.to_pylist()
    found: list[Comparison] = []
    for question_set in ("synthetic", "human"):
        a, b = (_rows_of(rows, contender, question_set) for contender in (candidate, opponent))
        if a and b:
            found.append(replace(compare(question_set, a, b), a=str(candidate), b=str(opponent)))
    return tuple(found)


def _rows_of(rows: Sequence[Row], contender: Contender, question_set: str) -> list[Row]:
    wanted = (contender.report_id, contender.system.name, question_set)
    return [row for row in rows if (row["report_id"], row["system"], row["question_set"]) == wanted]


@dataclass(frozen=True)
class _Verdict:
    text: str
    wins: bool
    vetoed: bool = False


def _verdict(candidate: Contender, opponent: Contender, evidence: Sequence[Comparison]) -> _Verdict:
    """The finding in plain language, and whether the candidate may take over."""
    by_set = {comparison.question_set: comparison for comparison in evidence}
    test, human = by_set.get("synthetic"), by_set.get("human")
    if test is None:
        return _Verdict(f"there are no test questions to show that {candidate} is better than {opponent}.", False)
    on_test = f"{_figures(test)} on {test.difference.n} test questions"
    on_human = f"{_figures(human)} on {human.difference.n} human questions" if human else "no human questions to check"
    if human and _worse_for_people(human.difference):
        return _Verdict(f"{candidate} ({on_human})", False, vetoed=True)
    if test.difference.low > 0:
        return _Verdict(f"{on_test}; {on_human}.", True)
    if human and human.difference.low > 0 and test.difference.high >= 0:
        return _Verdict(f"the test questions leave it open ({on_test}), people's decide ({on_human}).", True)
    return _Verdict(f"the lead of {candidate} on validation is not proven ({on_test}; {on_human}).", False)


def _worse_for_people(difference: Difference) -> bool:
    """Worse by more than the margin, or, on a handful of questions, worse beyond chance.

    The interval of seventy questions is about .1 wide to each side: waiting for proof of harm would wave through a
    system that people find visibly worse.
    """
    if difference.n < _MIN_HUMAN:
        return difference.high < 0
    return difference.mean < -_HUMAN_MARGIN


def _figures(comparison: Comparison) -> str:
    d = comparison.difference
    return f"nDCG@10 {d.mean:+.3f} [{d.low:+.3f}, {d.high:+.3f}]"


def reigning(store: Store) -> Champion | None:
    """Who answers questions now; None before the first promotion."""
    past = history(store)
    return past[-1] if past else None


def history(store: Store) -> list[Champion]:
    """Every promotion, oldest first."""
    rows = store.read(TABLE, schemas.CHAMPIONS).to_pylist()
    return [_champion(row) for row in sorted(rows, key=lambda row: row["promoted_at"])]


def promote(
    store: Store, decision: Decision, *, model_folder: str | None = None, identity: ModelIdentity | None = None
) -> Champion:
    """Make the decision's winner the champion. One row is one atomic version, so readers see the old or the new one.

    Raises
    ------
    ValueError
        If the winner searches by vectors and `identity` is not its model's.
    """
    winner = decision.winner
    if winner.system.needs_encoder and (identity is None or identity.model_id != winner.model_id):
        raise ValueError(f"{winner} uses model {winner.model_id}; promote it with that model's identity and folder")
    champion = Champion(
        promotion_id=uuid.uuid4().hex,
        promoted_at=datetime.now(UTC),
        recipe=winner.recipe,
        system=winner.system,
        model_id=winner.model_id,
        model_folder=model_folder if winner.system.needs_encoder else None,
        identity=identity if winner.system.needs_encoder else None,
        report_id=winner.report_id,
        reason=decision.reason,
    )
    store.upsert(TABLE, schemas.CHAMPIONS, pa.Table.from_pylist([_champion_row(champion)], schema=schemas.CHAMPIONS))
    return champion


def _champion_row(champion: Champion) -> Row:
    system = champion.system
    return {
        **{name: value for name, value in asdict(champion).items() if name not in ("system", "identity")},
        "system": system.name,
        "mode": system.mode,
        "dense_weight": system.dense_weight,
        "passages_table": system.table,
        "identity": champion.identity.to_json() if champion.identity else None,
    }


def _champion(row: Row) -> Champion:
    return Champion(
        promotion_id=row["promotion_id"],
        promoted_at=row["promoted_at"],
        recipe=row["recipe"],
        system=System(row["system"], row["mode"], row["passages_table"], row["dense_weight"]),
        model_id=row["model_id"],
        model_folder=row["model_folder"],
        identity=ModelIdentity.from_json(row["identity"]) if row["identity"] else None,
        report_id=row["report_id"],
        reason=row["reason"],
    )
