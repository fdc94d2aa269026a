import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acronis_pipeline.chunk import PageChunk, chunk_page
from acronis_pipeline.chunk.packing import Remembering, TooCostlyError
from acronis_pipeline.core.settings import ChunkSettings
from acronis_pipeline_tests.chunk.builders import budget, content_of, counter

URL = "https://docs.example.com/backup"
SMALL = budget(48, 12)
SENTENCE = "A plan runs every night and keeps thirty versions of each file in the vault."


def split(body: str, options: ChunkSettings = SMALL, title: str = "Backup") -> list[PageChunk]:
    return chunk_page(content_of(body, title), URL, options, counter())


def texts(body: str, options: ChunkSettings = SMALL) -> list[str]:
    return [chunk.text for chunk in split(body, options)]


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def test_passage_names_title_and_headings_but_not_the_h1_twice():
    (chunk,) = split(f"<h1>Plans</h1><h2 id='n'>Nightly</h2><h3>Retention</h3><p>{SENTENCE}</p>")
    assert chunk.passage == f"Plans > Nightly > Retention\n\n{SENTENCE}"
    assert chunk.heading_path == ("Nightly", "Retention")
    assert chunk.text == SENTENCE
    assert chunk.anchor == "n"
    assert chunk.n_tokens == counter().count(chunk.passage)


def test_sections_of_level_two_are_never_merged():
    chunks = split("<h1>T</h1><h2>A</h2><p>Short one.</p><h2>B</h2><p>Short two.</p>")
    assert [(chunk.heading_path, chunk.text) for chunk in chunks] == [(("A",), "Short one."), (("B",), "Short two.")]


def test_tiny_subsections_join_their_parent_with_their_headings():
    (chunk,) = split("<h2>Limits</h2><p>Two of them:</p><h3>Size</h3><p>64 TB.</p><h3>Speed</h3><p>1 GB/s.</p>")
    assert chunk.heading_path == ("Limits",)
    assert chunk.text == "Two of them:\n\n### Size\n\n64 TB.\n\n### Speed\n\n1 GB/s."


def test_a_question_keeps_its_answer_to_itself():
    chunks = split("<h2>FAQ</h2><h3>Is it free?</h3><p>No.</p><h3>Is there a trial?</h3><p>Yes, 30 days.</p>")
    assert [chunk.heading_path[-1] for chunk in chunks] == ["Is it free?", "Is there a trial?"]


def test_heading_without_text_makes_no_chunk():
    assert texts(f"<h1>T</h1><h2>Empty</h2><h2>Full</h2><p>{SENTENCE}</p>") == [SENTENCE]


def test_heading_that_is_a_sentence_is_text():
    assert texts("<h1>T</h1><h2>The agent needs two gigabytes of memory</h2>") == [
        "The agent needs two gigabytes of memory"
    ]


def test_table_header_is_repeated_in_every_part():
    rows = "".join(f"<tr><td>System {n}</td><td>Supported since version {n}</td></tr>" for n in range(12))
    parts = texts(f"<h2>Systems</h2><table><tr><th>System</th><th>Since</th></tr>{rows}</table>")
    assert len(parts) > 2
    assert all(part.startswith("| System | Since |\n| --- | --- |\n| System") for part in parts)
    assert sum(part.count("Supported since") for part in parts) == 12


def test_code_stays_inside_fences_in_every_part():
    code = "\n".join(f"acroctl restore --machine host{n} --target disk{n}" for n in range(12))
    parts = texts(f"<h2>Script</h2><pre><code class='language-bash'>{code}</code></pre>")
    assert len(parts) > 2
    assert all(part.startswith("```bash\n") and part.endswith("\n```") for part in parts)
    assert "\n".join(part.removeprefix("```bash\n").removesuffix("\n```") for part in parts) == code


def test_a_command_over_several_lines_is_not_cut_after_its_backslash():
    commands = "\n".join(f"acme create plan{number} \\\n    --vault {number}" for number in range(8))
    found = texts(f"<h1>T</h1><pre><code>{commands}</code></pre>")
    assert len(found) > 1
    assert not [text for text in found if text.splitlines()[-2].endswith("\\")]
    assert all(text.splitlines()[1].startswith("acme") for text in found)


def test_a_command_longer_than_a_passage_is_still_split():
    command = " \\\n".join(f"--option{number} value{number}" for number in range(40))
    found = split(f"<h1>T</h1><pre><code>{command}</code></pre>")
    assert len(found) > 1
    assert all(chunk.n_tokens <= SMALL.max_tokens for chunk in found)


def test_the_end_of_a_code_block_is_no_stump():
    lines = "\n".join(f'  "setting{number}": true,' for number in range(5))
    for padding in range(1, 5):
        code = f"{{\n{lines}\n" + "".join(f'  "x{number}": 1,\n' for number in range(padding)) + "}"
        found = texts(f"<h1>T</h1><pre><code>{code}</code></pre>")
        assert len(found) == 1 or len(found[-1]) >= sum(map(len, found)) / len(found) / 3


def test_comments_in_code_are_no_headings():
    (chunk,) = split("<h2>Script</h2><pre># first\nls\n# second</pre>")
    assert chunk.text == "```\n# first\nls\n# second\n```"


def test_lists_break_between_items():
    items = "".join(f"<li>Item {n}: {SENTENCE}</li>" for n in range(6))
    parts = texts(f"<h2>Plans</h2><ul>{items}</ul>")
    assert len(parts) > 1
    assert all(line.startswith("- Item") for part in parts for line in part.split("\n"))


def test_a_line_that_introduces_a_list_goes_with_it():
    items = "".join(f"<li>{SENTENCE}</li>" for _ in range(2))
    parts = texts(f"<h2>Plans</h2><p>{SENTENCE}</p><p>There are two kinds of them:</p><ul>{items}</ul>")
    assert not any(part.endswith(":") for part in parts)


def test_long_paragraph_is_cut_at_sentences():
    parts = texts(f"<h2>Plans</h2><p>{' '.join([SENTENCE] * 7)}</p>")
    assert len(parts) > 2
    assert all(part.endswith(".") for part in parts)


def test_small_tail_is_merged_or_evened_out():
    body = "".join(f"<p>{SENTENCE}</p>" for _ in range(2)) + "<p>Ends here.</p>"
    options = budget(44, 12)
    assert all(counter().count(part) >= 12 for part in texts(f"<h2>Plans</h2>{body}", options))


def test_identical_sections_get_ids_of_their_own():
    first, second = split("<h1>T</h1><h2>Note</h2><p>Same text.</p><h2>Note</h2><p>Same text.</p>")
    assert first.text == second.text
    assert first.chunk_id != second.chunk_id


def test_ids_survive_a_section_moving_and_a_title_changing():
    sections = [f"<h2>{name}</h2><p>{name}: {SENTENCE}</p>" for name in ("A", "B", "C")]
    before = {chunk.chunk_id for chunk in split("<h1>Old</h1>" + "".join(sections))}
    after = {chunk.chunk_id for chunk in split("<h1>New</h1>" + "".join(reversed(sections)))}
    assert before == after


def test_title_longer_than_the_budget_leaves_room_for_text():
    (chunk, *_) = split(f"<h1>{'Very long title of a page ' * 20}</h1><p>{SENTENCE}</p>")
    assert chunk.n_tokens <= SMALL.max_tokens
    assert chunk.passage.startswith("Very long title")
    assert "plan runs" in chunk.text


WORD = st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12)
PROSE = st.lists(WORD, min_size=1, max_size=60).map(lambda found: " ".join(found) + ".")
PARAGRAPH = PROSE.map(lambda text: f"<p>{text}</p>")
ITEMS = st.lists(PROSE, min_size=1, max_size=6).map(
    lambda found: "<ul>" + "".join(f"<li>{t}</li>" for t in found) + "</ul>"
)
CODE = st.lists(PROSE, min_size=1, max_size=6).map(lambda found: "<pre>" + "\n".join(found) + "</pre>")
SECTION = st.tuples(
    st.sampled_from(["h2", "h3", "h4"]), WORD, st.lists(st.one_of(PARAGRAPH, ITEMS, CODE), min_size=1, max_size=4)
)
BUDGET = st.tuples(st.integers(32, 160), st.integers(0, 31)).map(lambda b: budget(*b))


@pytest.mark.slow
@given(st.lists(SECTION, min_size=1, max_size=5), BUDGET)
@settings(max_examples=60, deadline=None)
def test_nothing_is_lost_and_everything_fits(sections: list[tuple[str, str, list[str]]], options: ChunkSettings):
    body = "".join(f"<{tag}>{heading}</{tag}>" + "".join(blocks) for tag, heading, blocks in sections)
    content = content_of(f"<h1>Title</h1>{body}")
    chunks = chunk_page(content, URL, options, counter())
    written = [word for _, _, blocks in sections for block in blocks for word in words(re.sub("<.*?>", " ", block))]
    # Headings of folded subsections are the only other words in the texts.
    found = [word for chunk in chunks for word in words(re.sub(r"(?m)^#+ .*$", "", chunk.text))]
    # A word longer than what a tiny budget leaves beside headings and fences is cut, so letters are compared.
    assert "".join(found) == "".join(written)
    assert all(chunk.n_tokens <= options.max_tokens for chunk in chunks)
    assert [chunk.ordinal for chunk in chunks] == list(range(len(chunks)))
    assert len({chunk.chunk_id for chunk in chunks}) == len(chunks)
    assert chunk_page(content, URL, options, counter()) == chunks


@given(st.lists(st.one_of(PARAGRAPH, ITEMS), min_size=1, max_size=5), st.integers(48, 96))
@settings(max_examples=40, deadline=None)
def test_no_word_of_prose_is_cut(blocks: list[str], max_tokens: int):
    found = [word for text in texts(f"<h1>T</h1>{''.join(blocks)}", budget(max_tokens)) for word in words(text)]
    assert found == [word for block in blocks for word in words(re.sub("<.*?>", " ", block))]


@given(st.lists(st.tuples(WORD, PROSE), min_size=2, max_size=15), BUDGET)
@settings(max_examples=30, deadline=None)
def test_no_cell_of_a_table_is_lost(rows: list[tuple[str, str]], options: ChunkSettings):
    table = "".join(f"<tr><td>{name}</td><td>{text}</td></tr>" for name, text in rows)
    chunks = split(f"<h2>T</h2><table><tr><th>Name</th><th>Text</th></tr>{table}</table>", options)
    found = Counter(word for chunk in chunks for word in words(chunk.text))
    assert not Counter(word for row in rows for cell in row for word in words(cell)) - found
    assert all(chunk.n_tokens <= options.max_tokens for chunk in chunks)


@pytest.mark.parametrize("text", ["x" * 5000, "日本語の文章です。" * 200, "é" * 900])
def test_text_without_spaces_fits_too(text: str):
    chunks = split(f"<h1>T</h1><p>{text}</p>", budget(64))
    assert "".join(chunk.text for chunk in chunks).replace(" ", "") == text
    assert all(chunk.n_tokens <= 64 for chunk in chunks)


def test_splitting_that_takes_more_than_a_page_warrants_is_given_up():
    with pytest.raises(TooCostlyError):
        Remembering(counter(), n_chars=10).count_many([f"{number} words" for number in range(30_000)])
