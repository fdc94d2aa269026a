import pytest

from acronis_pipeline.content import Reference, extract
from acronis_pipeline.content.metadata import describes
from acronis_pipeline_tests.content.pages import URL, page


def references(body: str, **options: str) -> tuple[Reference, ...]:
    return extract(page(body, **options), url=URL).references


def test_links_of_the_content_keep_their_words_their_section_and_their_title():
    body = '<p>See <a href="../backup/#plans" title="How plans run">how to <b>plan</b> a backup</a>.</p>'
    assert references(body) == (
        Reference("https://docs.example.com/guide/backup/", "plans", "how to plan a backup", "How plans run"),
    )


def test_links_of_navigation_and_footer_are_left_out():
    assert references("<h1>T</h1><p>Text without links.</p>") == ()


def test_title_that_repeats_the_text_is_no_other_description():
    assert references('<p>A <a href="/x" title="Bare-metal restore">bare-metal restore</a>.</p>')[0].title is None


def test_base_element_moves_targets():
    found = references('<p><a href="x">bare-metal restore</a></p>', head='<base href="/other/">', before="")
    assert found[0].target == "https://docs.example.com/other/x"


def test_links_leave_the_markdown_as_it_was():
    linked = extract(page('<p>A <a href="/x">restore</a> of all.</p>'), url=URL)
    plain = extract(page("<p>A restore of all.</p>"), url=URL)
    assert linked.content_hash == plain.content_hash


def test_selector_that_chooses_links_is_passed_over():
    assert extract(page('<p><a href="/x">bare-metal restore</a></p>'), url=URL, selector="main a").method == "main"


@pytest.mark.parametrize(
    "text",
    [
        "here", "Click here", "read more", "this page", "Learn more", "https://example.com/a", "docs.example.com",
        "guide/restore.html", "restore.md", "#1234", "12", "→", "", "x" * 200, "admin@example.com", "next", "More info",
    ],
)  # fmt: skip
def test_words_that_describe_nothing_are_left_out(text: str):
    assert not describes(text)


@pytest.mark.parametrize("text", ["Restoring files", "borg init", "バックアップ", "page on the OAuth Server", "RPO"])
def test_descriptions_are_kept(text: str):
    assert describes(text)
