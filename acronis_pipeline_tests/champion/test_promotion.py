"""Promotions over real reports: on today's passages, and not of what a person took back."""

from dataclasses import dataclass, replace

import pytest

from acronis_pipeline import evaluate as evaluation
from acronis_pipeline.champion import Promotion, current_champion, promote_by_hand, roll_back, settle
from acronis_pipeline.core.dataset import Passage, Question, RetrievalDataset
from acronis_pipeline.core.errors import ChampionError
from acronis_pipeline.evaluate.report import Forgetting
from acronis_pipeline.evaluate.significance import Difference, Interval
from acronis_pipeline.evaluate.stored import latest_report, latest_reports
from acronis_pipeline.models.indexed import require_model
from acronis_pipeline_tests.champion import worlds as champions_world
from acronis_pipeline_tests.champion.worlds import RECIPE, World
from acronis_pipeline_tests.evaluate import worlds
from acronis_pipeline_tests.evaluate.worlds import CHUNKS, DATASET, GOLD, N_PAGES, SYNONYMS
from acronis_pipeline_tests.index.corpora import WordEncoder, chunk, write_chunks

pytestmark = pytest.mark.slow

BASE, TUNED = WordEncoder(), WordEncoder("tuned", SYNONYMS)


@dataclass
class Site:
    """A world whose tuned model knows what questions mean, and the questions about it."""

    world: World
    dataset: RetrievalDataset = DATASET

    def evaluate(self, recipe: str = RECIPE) -> evaluation.Report:
        """Index today's passages for base and model, and report on them; nothing is trained."""
        base, tuned = worlds.indexed(self.world.store, BASE), worlds.indexed(self.world.store, TUNED)
        return evaluation.refresh(self.world.store, recipe, self.dataset, GOLD, base, tuned).report

    def settle(self) -> Promotion:
        world = self.world
        recipes = [report.recipe for report in latest_reports(world.store)]
        return settle(world.store, recipes, self.dataset, GOLD, world.settings)

    def grow(self) -> None:
        """Twelve pages are new, all pages are rewritten, and there are questions about the new ones."""
        rewritten = [row | {"passage": f"{row['passage']} today", "text": f"{row['text']} today"} for row in CHUNKS]
        pages = range(N_PAGES, N_PAGES + 12)
        new = [chunk(f"c{n}", f"How topic{n} works in the console with backups variant{n % 4} today") for n in pages]
        write_chunks(self.world.store, [*rewritten, *new])
        self.dataset = replace(
            self.dataset,
            passages=tuple(Passage(c["chunk_id"], c["passage"], c["cluster_id"], c["url"]) for c in [*rewritten, *new]),
            test=(*self.dataset.test, *(Question(f"q{n}", f"topic{n}", (f"c{n}",), f"page{n}") for n in pages)),
        )


@pytest.fixture
def site(tmp_path) -> Site:
    world = champions_world.build(tmp_path)
    write_chunks(world.store, CHUNKS)
    folder = world.model_folder(TUNED.identity)
    folder.mkdir(parents=True)
    (folder / "acronis_pipeline.json").write_text(TUNED.identity.to_json(), "utf-8")
    world.record(TUNED.identity, "tuned")
    assert require_model(world.store, RECIPE).identity == TUNED.identity
    return Site(world)


def test_nothing_was_evaluated_is_an_error_that_says_what_to_do(site: Site) -> None:
    with pytest.raises(ChampionError, match="materialize eval_report"):
        site.settle()


def test_first_champion_is_kept_while_the_evidence_is_the_same(site: Site) -> None:
    site.evaluate()
    first = site.settle()
    assert (first.changed, first.champion.move, first.champion.model_id) == (True, "first", TUNED.identity.model_id)
    assert first.champion.model_folder == str(site.world.model_folder(TUNED.identity))
    assert [comparison.question_set for comparison in first.champion.evidence] == ["synthetic", "human"]
    second = site.settle()
    assert (second.changed, second.champion) == (False, first.champion)
    assert "stays champion" in second.decision.reason


def test_challenger_trained_on_an_older_corpus_is_compared_on_todays(site: Site) -> None:
    site.world.enter(site.world.bm25(), move="first")
    old = site.evaluate()
    site.grow()
    today = site.evaluate()
    assert today.questions_id != old.questions_id
    promotion = site.settle()
    assert promotion.champion.model_id == TUNED.identity.model_id
    assert promotion.champion.report_id == today.report_id
    (test, _) = promotion.decision.evidence
    assert test.difference.n == len(site.dataset.test) == len(DATASET.test) + 12
    assert site.world.store.count(promotion.champion.system.table) == N_PAGES + 12


def test_report_on_older_passages_is_left_out_and_the_reason_says_how_to_renew_it(site: Site) -> None:
    site.evaluate("older")
    site.grow()
    site.evaluate()
    reason = site.settle().decision.reason
    assert (
        "Left out, evaluated on older passages or questions: older (materialize lancedb_index and eval_report" in reason
    )


def test_champion_that_no_report_on_todays_passages_asked_is_an_error_that_says_what_to_do(site: Site) -> None:
    site.evaluate()
    varied = replace(site.world.bm25(), system=replace(site.world.bm25().system, rerank_depth=49))
    site.world.enter(varied, move="first")
    site.grow()
    site.world.index(WordEncoder("another"), "another")  # embeds today's passages for all that share its document side
    with pytest.raises(ChampionError, match="materialize lancedb_index and eval_report"):
        site.settle()


def test_champion_that_is_broken_and_in_no_report_asks_for_a_rollback(site: Site) -> None:
    site.evaluate()
    model = WordEncoder("lost")
    system = replace(site.world.contender(model).system, table=site.world.index(model))
    site.world.enter(replace(site.world.contender(model), system=system), model, move="first")
    with pytest.raises(ChampionError, match=r"its model folder .* is gone; choose another one with .*rollback"):
        site.settle()


def test_what_was_rolled_back_stays_out_on_the_same_questions_and_returns_with_others(site: Site) -> None:
    world = site.world
    world.enter(world.bm25(), move="first")
    site.evaluate()
    loser = site.settle().champion
    roll_back(world.store, world.settings, reason="answers in the wrong language")
    again = site.settle()
    assert not again.changed
    assert again.champion.system.mode == "bm25"
    for said in (loser.contender, "hybrid of recipe words (rolled back on", "answers in the wrong language"):
        assert str(said) in again.decision.reason
    site.grow()
    site.evaluate()
    assert site.settle().champion.model_id == loser.model_id


def test_person_may_promote_what_the_evidence_would_not(site: Site) -> None:
    world = site.world
    world.enter(world.bm25(), move="first")
    site.evaluate()
    moved = promote_by_hand(world.store, world.settings, RECIPE, "fine_tuned", reason="a demonstration")
    now = moved.champion
    assert now == current_champion(world.store)
    assert (now.move, now.system.name, now.reason, now.evidence) == ("by_hand", "fine_tuned", "a demonstration", ())
    assert now.model_folder == str(world.model_folder(TUNED.identity))
    with pytest.raises(ChampionError, match="is the champion already"):
        promote_by_hand(world.store, world.settings, RECIPE, "fine_tuned", reason="again")
    with pytest.raises(ChampionError, match="has no 'champion' to promote, only bm25, base, fine_tuned"):
        promote_by_hand(world.store, world.settings, RECIPE, "champion", reason="mistyped")


def test_candidate_whose_model_is_gone_is_passed_over(site: Site) -> None:
    site.world.enter(site.world.bm25(), move="first")
    site.evaluate()
    folder = site.world.model_folder(TUNED.identity)
    folder.rename(f"{folder}-moved")
    promotion = site.settle()
    assert not promotion.changed
    assert "its model folder" in promotion.decision.reason


@pytest.mark.parametrize("blocks", [False, True])
def test_model_that_forgot_is_promoted_with_a_warning_unless_the_setting_forbids_it(
    site: Site, blocks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = site.world
    world.enter(world.bm25(), move="first")
    site.evaluate()
    low, high = Interval(0.5, 0.4, 0.6), Interval(0.8, 0.7, 0.9)
    probe = Forgetting("general", 60, high, low, Difference(-0.3, -0.4, -0.2, 0.001, 60, 60), flagged=True)
    report = latest_report(world.store, RECIPE)
    assert report
    flagged = replace(report, forgetting=(probe,))
    monkeypatch.setattr("acronis_pipeline.champion.moves.latest_reports", lambda _: [flagged])
    evaluation_settings = world.settings.evaluation.model_copy(update={"forgetting_blocks": blocks})
    world.settings = world.settings.model_copy(update={"evaluation": evaluation_settings})
    promotion = site.settle()
    assert promotion.changed is not blocks
    assert ("Not considered" if blocks else "Mind that its model lost") in promotion.decision.reason
