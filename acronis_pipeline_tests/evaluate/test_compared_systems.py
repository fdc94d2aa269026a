"""Systems that are compared besides a recipe's own: the champion, and models behind endpoints."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pytest

from acronis_pipeline.champion import Champion, Contender, compared_systems
from acronis_pipeline.champion.decision import decide, must_be_asked_again
from acronis_pipeline.core.settings import EmbeddingEndpoint, EvaluationSettings, RetrievalSettings, Settings
from acronis_pipeline.evaluate import EvalResult, EvaluationSetup, Report, checks, evaluate, refresh
from acronis_pipeline.evaluate.setup import ComparedSystems, systems
from acronis_pipeline.evaluate.stored import question_results
from acronis_pipeline.index import IndexedModel
from acronis_pipeline.pairs.gold import GoldQuestion
from acronis_pipeline.reporting import view
from acronis_pipeline.retrieve import System
from acronis_pipeline_tests.champion import worlds as champions_world
from acronis_pipeline_tests.champion.worlds import World
from acronis_pipeline_tests.evaluate import worlds
from acronis_pipeline_tests.evaluate.fake_embeddings import KEY, Script, serving
from acronis_pipeline_tests.evaluate.worlds import CHUNKS, DATASET, GOLD, SYNONYMS
from acronis_pipeline_tests.index.corpora import WordEncoder, chunk, write_chunks

pytestmark = pytest.mark.slow

OWN = ["bm25", "base", "fine_tuned", "hybrid_base", "hybrid"]


@dataclass
class Site:
    """A world with a base and a tuned model, and an older one that half knows what questions mean."""

    world: World
    base: IndexedModel
    tuned: IndexedModel
    older: WordEncoder

    def enter(self, system: System, model_id: str | None, encoder: WordEncoder | None = None) -> Champion:
        return self.world.enter(Contender("older", system, model_id, "old report"), encoder)

    def enter_older(self) -> Champion:
        table = self.world.index(self.older, "older")
        return self.enter(System("fine_tuned", "dense", table), self.older.identity.model_id, self.older)

    def evaluate_older(self, gold: Sequence[GoldQuestion] = GOLD) -> Report:
        """The older model's own report, as another recipe's."""
        indexed = IndexedModel(self.world.index(self.older, "older"), self.older)
        return refresh(self.world.store, "older", DATASET, gold, self.base, indexed).report

    def results(self, *reports: Report) -> pa.Table:
        return question_results(self.world.store, [report.report_id for report in reports])

    def compared(self, champion: Champion | None = None, *endpoints: EmbeddingEndpoint) -> ComparedSystems:
        evaluation = self.world.settings.evaluation.model_copy(update={"external": endpoints})
        return compared_systems(self.world.store, self.base, champion, with_evaluation(self.world.settings, evaluation))

    def refresh(self, compared: ComparedSystems, **options: object) -> EvalResult:
        return refresh(self.world.store, "words", DATASET, GOLD, self.base, self.tuned, compared=compared, **options)  # pyright: ignore[reportArgumentType]


def with_evaluation(settings: Settings, evaluation: EvaluationSettings) -> Settings:
    return settings.model_copy(update={"evaluation": evaluation})


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return build(tmp_path)


def build(folder: Path) -> Site:
    world = champions_world.build(folder)
    write_chunks(world.store, CHUNKS)
    base, tuned = (
        worlds.indexed(world.store, WordEncoder()),
        worlds.indexed(world.store, WordEncoder("tuned", SYNONYMS)),
    )
    half = {question: topic for question, topic in SYNONYMS.items() if int(topic.removeprefix("topic")) % 2}
    older = WordEncoder("older", half)
    model_folder = world.model_folder(older.identity)
    model_folder.mkdir(parents=True)
    (model_folder / "acronis_pipeline.json").write_text(older.identity.to_json(), "utf-8")
    return Site(world, base, tuned, older)


def loaded(compared: ComparedSystems, encoder: WordEncoder) -> ComparedSystems:
    """The compared systems with an encoder that needs no weights in its folder."""
    systems = tuple(
        replace(one, indexed=replace(one.indexed, encoder=encoder)) if one.system.name == "champion" else one
        for one in compared.systems
    )
    return replace(compared, systems=systems)


@pytest.fixture(scope="module")
def older_champion(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, Champion, Report]:
    """A site where the older model is champion, and a report on it."""
    site = build(tmp_path_factory.mktemp("older"))
    champion = site.enter_older()
    return site, champion, site.refresh(loaded(site.compared(champion), site.older)).report


def test_older_model_that_is_champion_is_a_system_of_the_report_and_everybody_is_compared_with_it(
    older_champion,
) -> None:
    _, _, report = older_champion
    assert [system.name for system in report.systems] == [*OWN, "champion"]
    assert report.champion == "champion"
    assert report.validation["base"] < report.validation["champion"] < report.validation["fine_tuned"]
    for question_set in ("synthetic", "human"):
        assert all(report.comparison(name, "champion", question_set) for name in OWN)
    assert report.comparison("fine_tuned", "champion").difference.low > 0


def test_champion_in_the_report_is_the_opponent_of_a_promotion_and_no_candidate(older_champion) -> None:
    site, champion, report = older_champion
    assert not must_be_asked_again([report], champion)
    decision = decide([report], question_results(site.world.store, [report.report_id]), champion)
    assert decision.promote
    assert decision.winner.model_id == site.tuned.encoder.identity.model_id
    assert "replaces fine_tuned of recipe older" in decision.reason


def test_report_stands_while_the_champion_is_the_same(older_champion) -> None:
    site, champion, report = older_champion
    again = site.refresh(loaded(site.compared(champion), site.older))
    assert again.reused
    assert again.report == report


@pytest.mark.parametrize("mode", ["bm25", "dense"])
def test_champion_that_is_a_system_of_the_report_keeps_its_name_there(site: Site, mode: str) -> None:
    if mode == "bm25":
        champion = site.enter(System("bm25", "bm25", "a_table_that_is_gone"), None)
        compared = site.compared(champion)
    else:
        tuned = WordEncoder("tuned", SYNONYMS)
        folder = site.world.model_folder(tuned.identity)
        folder.mkdir()
        (folder / "acronis_pipeline.json").write_text(tuned.identity.to_json(), "utf-8")
        champion = site.enter(System("fine_tuned", "dense", site.tuned.table), tuned.identity.model_id, tuned)
        compared = loaded(site.compared(champion), tuned)
    report = site.refresh(compared).report
    assert [system.name for system in report.systems] == OWN
    assert report.champion == {"bm25": "bm25", "dense": "fine_tuned"}[mode]
    assert report.comparison("hybrid", report.champion or "") is not None


def test_champion_whose_index_is_behind_is_left_out_with_a_remark_and_its_table_untouched(site: Site) -> None:
    champion = site.enter_older()
    before = site.world.store.version(champion.system.table)
    write_chunks(site.world.store, [*CHUNKS, chunk("new", "A page of today")])
    base, tuned = (worlds.indexed(site.world.store, indexed.encoder) for indexed in (site.base, site.tuned))  # pyright: ignore[reportArgumentType]
    compared = replace(site, base=base, tuned=tuned).compared(champion)
    assert compared.systems == ()
    assert "holds other passages" in compared.champion_caveats[0]
    assert site.world.store.version(champion.system.table) == before
    assert any("Not compared with the champion" in note for note in site.refresh(compared).report.caveats)


def test_champion_whose_model_is_gone_costs_no_evaluation(site: Site) -> None:
    champion = site.enter_older()
    (site.world.model_folder(site.older.identity) / "acronis_pipeline.json").unlink()
    site.world.model_folder(site.older.identity).rmdir()
    compared = site.compared(champion)
    assert compared.systems == ()
    assert "gone" in compared.champion_caveats[0]


def test_report_stands_after_one_of_its_own_systems_was_promoted(site: Site) -> None:
    first = site.refresh(ComparedSystems())
    champion = site.enter(System("bm25", "bm25", site.base.table), None)
    assert site.refresh(site.compared(champion)).report == first.report


def test_report_stands_after_a_system_of_another_recipe_was_promoted(site: Site) -> None:
    """Of two recipes the one evaluated first knows nothing of the champion that the second one's report brings."""
    first = site.refresh(ComparedSystems())
    other = site.evaluate_older()
    champion = site.enter_older()
    again = site.refresh(loaded(site.compared(champion), site.older))
    assert again.reused
    assert again.report == first.report
    assert decide([again.report, other], site.results(again.report, other), champion).promote


def test_report_with_the_champion_stands_after_its_own_recipe_was_evaluated_too(site: Site) -> None:
    """After a change of the site the champion is asked for the recipe that is evaluated first, and is known then."""
    champion = site.enter_older()
    first = site.refresh(loaded(site.compared(champion), site.older))
    site.evaluate_older()
    again = site.refresh(loaded(site.compared(champion), site.older))
    assert again.reused
    assert again.report == first.report


def test_champion_that_no_report_on_these_questions_holds_is_asked(site: Site) -> None:
    first = site.refresh(ComparedSystems())
    site.evaluate_older(GOLD[:3])
    champion = site.enter_older()
    with_it = site.refresh(loaded(site.compared(champion), site.older))
    assert not with_it.reused
    assert with_it.report.report_id != first.report.report_id
    assert with_it.report.champion == "champion"


@pytest.mark.server
def test_external_model_is_a_dense_system_whose_passages_are_sent_once_and_never_champion(site: Site) -> None:
    script = Script()
    with serving(script) as endpoint:
        done = site.refresh(site.compared(None, endpoint))
        n_requests, texts = len(script.requests), script.texts
        again = site.refresh(site.compared(None, endpoint))
        assert len(script.requests) == n_requests
    assert again.reused
    assert all(texts.count(row["passage"]) == 1 for row in CHUNKS)
    score = done.report.score("external:m")
    assert score is not None
    assert score.system.mode == "dense"
    # The fake endpoint is the base's encoder behind HTTP.
    assert score.metrics["ndcg_at_10"] == done.report.score("base").metrics["ndcg_at_10"]  # pyright: ignore[reportOptionalMemberAccess]
    assert done.report.comparison("external:m", "bm25") is not None
    best = replace(done.report, validation=done.report.validation | {"external:m": 1.0})
    results = question_results(site.world.store, [best.report_id])
    assert not decide([best], results).winner.system.name.startswith("external")


@pytest.mark.server
def test_endpoint_that_fails_is_a_remark_without_its_key_and_makes_a_new_report_when_it_is_back(site: Site) -> None:
    with serving(Script(failures=[(500, {"retry-after-ms": "1"})])) as endpoint:
        impatient = endpoint.model_copy(update={"max_retries": 0})
        without, with_it = (site.refresh(site.compared(None, impatient)).report for _ in range(2))
    assert [system.name for system in without.systems] == OWN
    assert "embedding model m at http://127.0.0.1" in without.caveats[-1]
    assert "HTTP 500" in without.caveats[-1]
    assert KEY not in without.to_json()
    assert with_it.score("external:m") is not None


def test_configured_fusion_and_variety_make_up_the_hybrids(site: Site) -> None:
    configured = RetrievalSettings.model_validate({"fusion": "reciprocal_rank", "mmr": 0.7})
    report = site.refresh(ComparedSystems(), retrieval=configured).report
    *own, varied = report.systems
    assert [system.name for system in own] == OWN
    assert {(s.fusion, s.dense_weight) for s in own if s.mode == "hybrid"} == {("reciprocal_rank", None)}
    assert varied == replace(own[-1], name="hybrid_mmr", mmr=0.7)
    assert report.validation.keys() == {*OWN, "hybrid_mmr"}
    assert report.comparison("hybrid_mmr", "hybrid") is not None


def test_reranked_hybrid_has_the_weight_of_the_hybrid_below(site: Site) -> None:
    learned = {"hybrid_base": 0.2, "hybrid": 0.7}
    configured = RetrievalSettings.model_validate({"reranker": "some/cross-encoder", "rerank_depth": 20})
    *_, hybrid, reranked = systems(EvaluationSetup((), site.base, site.tuned), configured, learned)
    assert reranked == replace(hybrid, name="hybrid_rerank", reranker="some/cross-encoder", rerank_depth=20)
    assert (hybrid.name, reranked.dense_weight) == ("hybrid", 0.7)


def test_report_says_what_the_model_forgot_and_how_it_agrees_with_people(site: Site, tmp_path: Path) -> None:
    rows = "".join(f"question{n},topic{n} {'topic' if n % 2 else 'else'}{n},{n % 2}\n" for n in range(20))
    (tmp_path / "sts.csv").write_text(f"text1,text2,score\n{rows}")
    evaluation = EvaluationSettings.model_validate({"sts_file": str(tmp_path / "sts.csv")})
    done = site.refresh(ComparedSystems(), evaluation=evaluation)
    assert [(probe.probe, probe.n > 150, probe.flagged) for probe in done.report.forgetting] == [
        ("general", True, False)
    ]
    assert [(found.system, found.n) for found in done.report.correlations] == [("base", 20), ("fine_tuned", 20)]
    shown = view.table_as_text([done.report])
    assert "words away from the site (general, " in shown
    assert "words, fine_tuned: Spearman " in shown
    tolerant = evaluation.model_copy(update={"forgetting_tolerance": 0.5})
    assert site.refresh(ComparedSystems(), evaluation=evaluation).reused
    assert not site.refresh(ComparedSystems(), evaluation=tolerant).reused


def test_evaluation_without_a_tuned_model_has_nothing_to_forget(site: Site) -> None:
    checked = checks.read(EvaluationSettings())  # pyright: ignore[reportCallIssue]
    report = evaluate(
        site.world.store,
        "words",
        EvaluationSetup(DATASET.test, site.base),
        EvaluationSetup((), site.base),
        checks=checked,
    ).report
    assert report.forgetting == ()
