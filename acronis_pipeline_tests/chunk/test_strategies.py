"""What every strategy promises, and what only some do."""

import re
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from acronis_pipeline.chunk import PageChunk, chunk_page
from acronis_pipeline.chunk.packing import ending
from acronis_pipeline.core.settings import ChunkSettings
from acronis_pipeline_tests.chunk.builders import content_of, counter

pytestmark = pytest.mark.slow

URL = "https://docs.example.com/backup"
TEXT = (
    "A plan runs every night. It keeps thirty versions of each file in the vault! Does it verify them? It does so "
    "every week. Old versions are deleted on Sundays. A plan can be paused at any time. "
)
PAGE = """<h1>Plans</h1><p>What plans do.</p><h2 id="keep">Retention</h2><p>{long}</p><h2 id="run">Schedule</h2>
<p>Every night.</p><h3 id="zone">Time zone</h3><p>That of the machine.</p>"""


def options(strategy: str, **values: int) -> ChunkSettings:
    return ChunkSettings.model_validate({"strategy": strategy, "min_tokens": 8, **values})


def split(body: str, settings: ChunkSettings) -> list[PageChunk]:
    return chunk_page(content_of(body, "Plans"), URL, settings, counter())


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def steps(items: Sequence[Sequence[str]]) -> str:
    return "<ol>" + "".join(f"<li>{''.join(blocks)}</li>" for blocks in items) + "</ol>"


# Without c: "Copied" alone is what a copy button says, and is taken for one.
WORD = st.text(alphabet="abdefghijklmnop", min_size=1, max_size=10)
SENTENCE = st.lists(WORD, min_size=1, max_size=14).map(lambda found: " ".join(found).capitalize() + ".")
PARAGRAPH = st.lists(SENTENCE, min_size=1, max_size=6).map(lambda found: f"<p>{' '.join(found)}</p>")
CODE = st.lists(SENTENCE, min_size=1, max_size=6).map(lambda found: "<pre>" + "\n".join(found) + "</pre>")
CODE_WITH_GAPS = st.lists(SENTENCE, min_size=1, max_size=8).map(
    lambda found: "<pre><code class='language-bash'>" + "\n\n".join(found) + "</code></pre>"
)
STEP = st.lists(st.one_of(PARAGRAPH, CODE_WITH_GAPS), min_size=1, max_size=3)
STEPS = st.lists(STEP, min_size=1, max_size=4).map(steps)
NESTED_STEPS = st.tuples(STEP, STEPS, STEP).map(lambda parts: steps([[*parts[0], parts[1], *parts[2]]]))
SECTION = st.tuples(WORD, st.lists(st.one_of(PARAGRAPH, CODE), min_size=1, max_size=4))
PAGES = st.lists(SECTION, min_size=1, max_size=5)


def html_of(sections: Sequence[tuple[str, list[str]]]) -> str:
    return "<h1>Plans</h1>" + "".join(f"<h2 id='s{n}'>{h}</h2>{''.join(b)}" for n, (h, b) in enumerate(sections))


@pytest.mark.parametrize("strategy", ["headings", "recursive", "page"])
@given(PAGES)
@settings(max_examples=25, deadline=None)
def test_every_strategy_keeps_the_contracts(strategy: str, sections: list[tuple[str, list[str]]]):
    chosen = options(strategy, max_tokens=64, recursive_chars=150)
    chunks = split(html_of(sections), chosen)
    written = [word for _, blocks in sections for block in blocks for word in words(re.sub("<.*?>", " ", block))]
    found = [word for chunk in chunks for word in words(re.sub(r"(?m)^#+ .*$", "", chunk.text))]
    assert "".join(found) == "".join(written)
    assert [chunk.ordinal for chunk in chunks] == list(range(len(chunks)))
    assert len({chunk.chunk_id for chunk in chunks}) == len(chunks)
    assert [chunk.n_tokens for chunk in chunks] == counter().count_many([chunk.passage for chunk in chunks])
    assert all(chunk.passage == f"{chunk.passage.split(chr(10))[0]}\n\n{chunk.text}" for chunk in chunks)
    assert {chunk.anchor for chunk in chunks} <= {None, *(f"s{n}" for n in range(len(sections)))}
    assert split(html_of(sections), chosen) == chunks
    if strategy != "page":
        assert all(chunk.n_tokens <= 64 for chunk in chunks)


@given(PAGES, SENTENCE)
@settings(max_examples=25, deadline=None)
def test_ids_of_a_section_do_not_depend_on_the_others(sections: list[tuple[str, list[str]]], added: str):
    sections = [(f"{heading} {n}", blocks) for n, (heading, blocks) in enumerate(sections)]
    before = split(html_of(sections), options("headings", max_tokens=64))
    changed = [*sections[:-1], (sections[-1][0], [*sections[-1][1], f"<p>{added}</p>"])]
    after = split(html_of([("first", ["<p>A new section.</p>"]), *changed]), options("headings", max_tokens=64))
    untouched = [chunk.chunk_id for chunk in before if chunk.heading_path != (sections[-1][0],)]
    assert set(untouched) <= {chunk.chunk_id for chunk in after}


def test_ids_are_the_same_on_every_machine():
    chunks = split(PAGE.format(long=TEXT), options("headings"))
    assert [chunk.chunk_id for chunk in chunks] == [
        "8ac071853c68a752d391",
        "a30e358342d6a4e7a70c",
        "fb784a85df7194e9f3fe",
        "1c18c47b2351dfffb08f",
    ]


@pytest.mark.parametrize("strategy", ["headings", "recursive", "page"])
@given(st.lists(st.one_of(PARAGRAPH, CODE_WITH_GAPS, STEPS, NESTED_STEPS), min_size=1, max_size=4), st.integers(32, 96))
@settings(max_examples=40, deadline=None)
def test_no_passage_holds_half_of_a_fence(strategy: str, blocks: list[str], max_tokens: int):
    chosen = options(strategy, max_tokens=max_tokens, recursive_chars=150)
    chunks = split(html_of([("steps", blocks)]), chosen)
    for chunk in chunks:
        fences = re.findall(r"(?m)^[\s\d.)]*(```.*)$", chunk.text)
        assert len(fences) % 2 == 0
        assert set(fences[1::2]) <= {"```"}
        assert strategy == "page" or chunk.n_tokens <= max_tokens
    written = words(re.sub("<.*?>", " ", " ".join(blocks)))
    shown = "\n".join(chunk.text for chunk in chunks)
    assert "".join(words(re.sub(r"(?m)^#+ .*$|```(?:bash)?|\d", "", shown))) == "".join(written)


def test_code_in_a_step_too_long_for_a_passage_keeps_its_fence_and_what_introduces_it():
    commands = "\n\n".join(f"acroctl restore --machine host{n}" for n in range(12))
    body = f"<ol><li>Read this.</li><li><p>Run:</p><pre><code class='language-bash'>{commands}</code></pre></li></ol>"
    first, *others = [chunk.text for chunk in split(body, options("headings", max_tokens=64))]
    assert first.startswith("1. Read this.\n\n2. Run:\n\n   ```bash\n   acroctl restore --machine host0\n")
    assert others
    assert all(text.startswith("   ```bash\n   acroctl") and text.endswith("\n   ```") for text in others)


def test_a_heading_that_repeats_the_title_is_named_once():
    (chunk,) = split("<h1>Plans</h1><h2>Plans</h2><h3>Retention</h3><p>Thirty versions.</p>", options("headings"))
    assert chunk.passage.startswith("Plans > Retention\n\n")
    assert chunk.heading_path == ("Plans", "Retention")


def test_recursive_passages_know_the_section_that_they_begin_in():
    chunks = split(PAGE.format(long=TEXT * 3), options("recursive", recursive_chars=300))
    assert all(len(chunk.text) <= 300 for chunk in chunks)
    assert (chunks[0].heading_path, chunks[0].anchor) == ((), None)
    assert {chunk.anchor for chunk in chunks[1:]} >= {"keep"}
    assert all(chunk.passage.startswith("Plans\n\n") for chunk in chunks)


@given(PAGES, st.integers(100, 400))
@settings(max_examples=25, deadline=None)
def test_no_recursive_passage_ends_in_a_heading(sections: list[tuple[str, list[str]]], chars: int):
    for chunk in split(html_of(sections), options("recursive", recursive_chars=chars, max_tokens=256)):
        assert not chunk.text.rstrip().split("\n")[-1].startswith("## ")


def test_a_page_is_one_passage_however_long():
    (chunk,) = split(PAGE.format(long=TEXT * 40), options("page"))
    assert chunk.n_tokens > options("page").max_tokens
    assert (chunk.heading_path, chunk.anchor) == ((), None)
    assert "## Retention" in chunk.text
    assert "# Plans" not in chunk.text.split("\n")


def test_page_without_text_has_no_passage():
    assert split("<h1>Plans</h1>", options("page")) == []


@pytest.mark.parametrize("strategy", ["headings", "recursive"])
def test_overlap_repeats_whole_sentences_within_the_budget(strategy: str):
    chosen = options(strategy, max_tokens=64, overlap_tokens=16, recursive_chars=200)
    chunks = split(f"<h2>A</h2><p>{TEXT * 3}</p>", chosen)
    assert len(chunks) > 2
    for before, chunk in pairwise(chunks):
        repeated = chunk.text.split("\n\n")[0]
        assert repeated
        assert before.text.endswith(repeated)
        assert re.match(r"[A-Z]", repeated)
    assert all(chunk.n_tokens <= 64 for chunk in chunks)


def test_overlap_does_not_cross_headings():
    chunks = split(
        "<h2>A</h2><p>One sentence here.</p><h2>B</h2><p>Another one.</p>", options("headings", overlap_tokens=16)
    )
    assert [chunk.text for chunk in chunks] == ["One sentence here.", "Another one."]


@pytest.mark.parametrize("text", ["Text.\n\n```\ncode\n```", "Text.\n\n| A |\n| --- |\n| b |", ""])
def test_nothing_is_repeated_of_code_and_tables(text: str):
    assert ending(text, 20, counter()) == ""


def test_of_a_very_long_sentence_the_last_words_are_repeated():
    assert ending("word " * 100 + "and this is the end.", 9, counter()).endswith("this is the end.")


def test_overlap_beyond_a_quarter_of_the_budget_is_refused():
    with pytest.raises(ValidationError, match="quarter"):
        options("headings", max_tokens=64, overlap_tokens=17)
