"""The page of a report, made from a real evaluation of the small world."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from selectolax.lexbor import LexborHTMLParser

from acronis_pipeline import evaluate as evaluation
from acronis_pipeline import index, reporting
from acronis_pipeline.evaluate import Report
from acronis_pipeline.evaluate.report import Correlation, Forgetting
from acronis_pipeline.evaluate.significance import Difference, Interval
from acronis_pipeline.index import IndexedModel
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.evaluate.worlds import CHUNKS, DATASET, GOLD, build, indexed, question
from acronis_pipeline_tests.index.corpora import WordEncoder, chunk, write_chunks

pytestmark = pytest.mark.slow

SCRIPT = "<script>alert('x')</script>"
_MOST_BYTES = 3_000_000
World = tuple[Store, IndexedModel, IndexedModel]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return build(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def report(world: World) -> Report:
    store, base, tuned = world
    made = evaluation.refresh(store, "words", DATASET, GOLD, base, tuned).report
    flagged = Forgetting("general", 40, Interval(0.9, 0.8, 1), Interval(0.7, 0.6, 0.8), lost(), flagged=True)
    return replace(made, forgetting=(flagged,), correlations=(Correlation("sts.tsv", "base", 30, made_up()),))


@pytest.fixture(scope="module")
def page(world: World, report: Report) -> LexborHTMLParser:
    return parsed(world, report)


def parsed(world: World, report: Report, links: reporting.Links | None = None) -> LexborHTMLParser:
    store, base, tuned = world
    encoders = {"base": base.encoder, "fine_tuned": tuned.encoder}
    return LexborHTMLParser(reporting.render(reporting.ReportView(store, report), encoders, links or reporting.Links()))


def made_up() -> Interval:
    return Interval(0.8, 0.7, 0.9)


def lost() -> Difference:
    return Difference(-0.2, -0.3, -0.1, 0.001, 40, 40)


def text_of(page: LexborHTMLParser, selector: str) -> str:
    return " ".join(node.text(separator=" ") for node in page.css(selector))


def test_page_needs_nothing_from_anywhere(page: LexborHTMLParser) -> None:
    assert page.css("script, link, iframe, object, embed, img, base") == []
    policy = page.css_first("meta[http-equiv='Content-Security-Policy']").attributes["content"] or ""
    assert "default-src 'none'" in policy
    assert "url(" not in text_of(page, "style")
    assert "@import" not in text_of(page, "style")
    assert {node.attributes["href"][:2] for node in page.css("use")} == {"#m"}


def test_verdict_stands_first_and_says_who_wins_by_how_much_and_what_follows(page: LexborHTMLParser) -> None:
    said = text_of(page, ".verdict")
    assert page.css_first("header .verdict") is not None
    assert "Better than its base" in said
    assert "its first five hold a right passage for 100" in said
    assert re.search(r"nDCG@10 \+0\.\d{3} \(95 %: \+0\.\d{3} to \+\d\.\d{3}\) on synthetic test questions", said)
    assert "By the champion's rules" in said
    assert "first champion" in said


def test_every_system_has_its_row_for_each_set_of_questions(page: LexborHTMLParser, report: Report) -> None:
    for part in ("synthetic test questions", "questions by people"):
        rows = page.css(f"div[aria-label='Comparison: {part}'] tbody tr")
        assert [row.css_first("th").text(strip=True) for row in rows][:3] == ["BM25", "Base", "Fine-tuned"]
        assert len(rows) == len(report.systems)


def test_figures_that_are_best_are_marked_in_every_column(page: LexborHTMLParser) -> None:
    table = page.css_first("div[aria-label='Comparison: synthetic test questions']")
    best = {row.css_first("th").text(strip=True) for row in table.css("tr") if row.css("td.best")}
    assert "Fine-tuned" in best
    assert "BM25" not in best


def test_all_sections_are_reachable_from_the_list_at_the_top(page: LexborHTMLParser) -> None:
    targets = [node.attributes["href"] for node in page.css("nav a")]
    assert {"#systems", "#differences", "#depth", "#wins", "#map", "#elsewhere", "#misses", "#about"} <= set(targets)
    assert all(page.css_first(f"h2[id='{target[1:]}']") for target in targets if target)


def test_reader_who_cannot_see_gets_names_for_figures_and_headers_for_tables(page: LexborHTMLParser) -> None:
    assert page.css_first("html").attributes["lang"] == "en"
    assert all(svg.attributes.get("aria-label") for svg in page.css("svg[role='img']"))
    assert all(svg.attributes.get("aria-hidden") for svg in page.css("svg:not([role='img'])"))
    assert all(cell.attributes.get("scope") for cell in page.css("th"))
    assert all(region.attributes.get("aria-label") for region in page.css("[role='region']"))


def test_systems_keep_one_mark_through_all_figures(page: LexborHTMLParser) -> None:
    defined = {node.attributes["id"] for node in page.css("defs [id]")}
    assert {(node.attributes["href"] or "")[1:] for node in page.css("use")} <= defined


def test_forgetting_and_correlation_are_said_where_they_were_measured(
    page: LexborHTMLParser, world: World, report: Report
) -> None:
    said = text_of(page, "main")
    assert "It did on general" in said
    assert "sts.tsv" in said
    without = parsed(world, replace(report, forgetting=(), correlations=()))
    assert without.css_first("#elsewhere") is None


def test_questions_that_could_not_be_scored_are_listed(page: LexborHTMLParser) -> None:
    said = text_of(page, "details")
    assert "Where is the lost page?" in said
    assert "What else should I know?" in said


def test_links_lead_to_mlflow_and_dagster_where_they_are_known(world: World, report: Report) -> None:
    links = reporting.Links(mlflow="http://mlflow.test/#/runs/1", dagster="http://dagster.test/runs/2")
    addresses = {node.attributes["href"] for node in parsed(world, report, links).css("header a")}
    assert {links.mlflow, links.dagster} <= addresses


def test_without_models_there_is_no_map(world: World, report: Report) -> None:
    assert LexborHTMLParser(reporting.render(reporting.ReportView(world[0], report))).css_first("#map") is None


def test_model_of_another_report_draws_no_map(world: World, report: Report) -> None:
    other = WordEncoder("another")
    page = reporting.render(reporting.ReportView(world[0], report), {"base": other, "fine_tuned": other})
    assert LexborHTMLParser(page).css_first("#map") is None


def test_hostile_page_and_question_stay_text(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "lancedb"))
    hostile = [
        chunk(
            row["chunk_id"],
            f'{row["text"]} {SCRIPT} "><img src=x onerror=alert(1)>',
            url=f"javascript:alert('{row['chunk_id']}')",
        )
        | {"title": f"</title>{SCRIPT}", "heading_path": [SCRIPT], "language": '"><b>'}
        for row in CHUNKS
    ]
    write_chunks(store, hostile)
    base, tuned = indexed(store, WordEncoder()), indexed(store, WordEncoder("tuned"))
    dataset = replace(DATASET, test=tuple(replace(question(n), query=f"question{n} {SCRIPT}") for n in range(15, 40)))
    report = evaluation.refresh(store, "words", dataset, (), base, tuned).report
    page = parsed((store, base, tuned), replace(report, caveats=(SCRIPT,), unanswerable=(SCRIPT,)))
    assert page.css("script, img, b[onerror], title + script") == []
    assert {(a.attributes["href"] or "")[:1] for a in page.css("a")} == {"#"}
    assert SCRIPT in text_of(page, ".asked")
    assert SCRIPT in text_of(page, ".where")
    assert SCRIPT in text_of(page, ".warnings")


def test_miss_shows_where_the_right_passage_stands_and_what_beat_it(world: World, report: Report) -> None:
    store = world[0]
    rows = evaluation.question_results(store, [report.report_id]).to_pylist()
    missed = [row for row in rows if (row["system"], row["question_set"]) == ("hybrid", "synthetic")][:1]
    worse = [row | {"first_relevant_rank": 7, "retrieved": ["c0", "c1", "c2", "c3"]} for row in missed]
    store.upsert(tables.QUESTION_RESULTS, tables.QUESTION_RESULTS.rows(worse))
    try:
        page = parsed(world, report)
    finally:
        store.upsert(tables.QUESTION_RESULTS, tables.QUESTION_RESULTS.rows(missed))
    (shown,) = [node for node in page.css("details[open]") if missed[0]["query"] in node.text()]
    assert "Hybrid 7" in re.sub(r"\s+", " ", shown.css_first(".ranks").text(separator=" "))
    assert f"Title of {missed[0]['relevant'][0]}" in shown.css_first(".passage.right").text()
    assert [node.css_first("a").text() for node in shown.css(".beaters .passage")] == [
        f"Title of c{n}" for n in range(3)
    ]


def test_page_stays_small_however_many_questions_there_are(world: World, report: Report) -> None:
    store = world[0]
    rows = evaluation.question_results(store, [report.report_id]).to_pylist()
    many = [
        row | {"result_id": f"{row['result_id']}-{n}", "question_id": f"{row['question_id']}-{n}", "report_id": "many"}
        for row in rows
        if row["question_set"] == "synthetic"
        for n in range(200)
    ]
    store.upsert(tables.QUESTION_RESULTS, tables.QUESTION_RESULTS.rows(many))
    page = reporting.render(
        reporting.ReportView(store, replace(report, report_id="many")),
        {"base": world[1].encoder, "fine_tuned": world[2].encoder},
    )
    assert len({row["question_id"] for row in many}) == 5_000
    assert len(page.encode()) < _MOST_BYTES


def test_page_is_kept_as_a_file_and_goes_with_its_report(world: World, report: Report, tmp_path: Path) -> None:
    stale = reporting.report_file(tmp_path, "gone")
    stale.write_text("a report that the store dropped")
    page = reporting.publish(tmp_path, reporting.ReportView(world[0], report))
    assert reporting.report_file(tmp_path, report.report_id).read_text("utf-8") == page
    assert not stale.exists()


def test_report_of_people_s_questions_alone_has_its_page(tmp_path: Path) -> None:
    store, base, tuned = build(tmp_path)
    dataset = replace(DATASET, test=())
    report = evaluation.refresh(store, "words", dataset, GOLD, base, tuned).report
    page = parsed((store, base, tuned), report)
    assert "questions by people" in text_of(page, ".verdict")
    assert page.css_first("div[aria-label='Comparison: synthetic test questions']") is None


def test_report_without_a_tuned_model_has_its_page(tmp_path: Path) -> None:
    store, base, _ = build(tmp_path)
    done = evaluation.evaluate(
        store, "words", evaluation.EvaluationSetup(DATASET.test, base), evaluation.EvaluationSetup((), base)
    )
    store.upsert(tables.QUESTION_RESULTS, done.results)
    page = LexborHTMLParser(reporting.render(reporting.ReportView(store, done.report), {"base": base.encoder}))
    assert page.css_first(".verdict") is not None
    assert len(page.css("#map ~ .row svg")) >= 1


def test_page_after_the_index_moved_on_says_that_a_passage_is_gone(tmp_path: Path) -> None:
    store, base, tuned = build(tmp_path)
    far = replace(DATASET, test=tuple(replace(question(n), query=f"variant{n % 4}") for n in range(15, 40)))
    report = evaluation.refresh(store, "words", far, (), base, tuned).report
    write_chunks(store, CHUNKS[:20])
    for one in (base, tuned):
        index.refresh(store, one)
    assert "no longer in the index" in text_of(parsed((store, base, tuned), report), "main")
