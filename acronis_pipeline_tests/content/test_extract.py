import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acronis_pipeline.content import Heading, extract
from acronis_pipeline.core.errors import SettingsError
from acronis_pipeline_tests.content.pages import BODY, COOKIE_BANNER, FOOTER, NAVIGATION, URL, page

EXPECTED = """# Restore a whole machine

Bare-metal restore puts a *complete* machine back, disks and all.

## Steps

1. Boot from the media.
2. Pick a backup:

   ```bash
   # not a heading
   acroctl list --all
   ```

Needs a licence.

## Platforms

| System | Supported |
| --- | --- |
| Linux | Yes |"""


def markdown_of(body: str) -> str:
    return extract(page(body), url=URL).markdown


def test_content_is_kept_and_clutter_is_gone():
    content = extract(page(), url=URL)
    assert content.markdown == EXPECTED
    assert content.title == "Restore a whole machine"
    assert content.language == "en"
    assert content.method == "main"


def test_headings_carry_the_anchors_that_links_can_name():
    assert extract(page(), url=URL).headings == (
        Heading(1, "Restore a whole machine", "restore"),
        Heading(2, "Steps", "steps"),
        Heading(2, "Platforms", "platforms"),
    )


@pytest.mark.parametrize("wrapper", ["main", "article", "div role=main", "div class=article-body"])
def test_content_is_found_however_the_page_marks_it(wrapper: str):
    assert extract(page(wrapper=wrapper), url=URL).markdown == EXPECTED


def test_content_is_found_where_the_page_does_not_mark_it():
    prose = "".join(f"<h2>Part {n}</h2><p>{'Backups are kept for thirty days. ' * 8}</p>" for n in range(4))
    content = extract(page(f"<div>{prose}</div>", wrapper="div", head="<title>Retention</title>"), url=URL)
    assert content.method in {"trafilatura", "body"}
    assert [heading.text for heading in content.headings][-4:] == [f"Part {n}" for n in range(4)]
    assert content.markdown.count("Backups are kept") == 32
    assert "Sign in" not in content.markdown
    assert "Legal" not in content.markdown


def test_empty_main_of_a_broken_template_is_not_taken_for_the_content():
    prose = "<p>" + "Backups are kept for thirty days in the cloud. " * 30 + "</p>"
    content = extract(f"<html><body><main><p>Loading page</p></main><div>{prose}</div></body></html>", url=URL)
    assert "thirty days" in content.markdown


def test_selector_wins_over_main():
    html = page('<div class="sidebar-text"><p>Chosen text.</p></div><p>Other text.</p>')
    content = extract(html, url=URL, selector=".sidebar-text")
    assert (content.markdown, content.method) == ("Chosen text.", "selector")


def test_selector_that_matches_nothing_leaves_the_choice_to_the_page():
    assert extract(page(), url=URL, selector="#elsewhere").method == "main"


def test_selector_that_is_no_css_is_refused_by_name():
    with pytest.raises(SettingsError, match=r"site\.content_selector = 'div\[\['"):
        extract(page(), url=URL, selector="div[[")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        (COOKIE_BANNER, FOOTER),
        (NAVIGATION + '<div class="announcement-bar">Sale ends today</div>', FOOTER.replace("3 May", "9 June")),
    ],
)
def test_hash_ignores_navigation_banners_and_footers(before: str, after: str):
    assert extract(page(before=before, after=after), url=URL).content_hash == extract(page(), url=URL).content_hash


def test_hash_ignores_the_date_of_the_last_update():
    later = BODY.replace("Last updated on May 3, 2026", "Last updated on June 9, 2026")
    assert extract(page(later), url=URL).content_hash == extract(page(), url=URL).content_hash


def test_hash_changes_with_the_text():
    changed = BODY.replace("disks and all", "except its disks")
    assert extract(page(changed), url=URL).content_hash != extract(page(), url=URL).content_hash


def test_details_become_a_heading_with_the_answer_below():
    body = """<h1>FAQ</h1><details><summary>Is there a trial?</summary><p>Yes, 30 days.</p></details>
    <details id="card"><summary><h3>Do I need a card?</h3></summary>No.</details>"""
    content = extract(page(body), url=URL)
    assert content.markdown == "# FAQ\n\n## Is there a trial?\n\nYes, 30 days.\n\n## Do I need a card?\n\nNo."
    assert content.headings[2] == Heading(2, "Do I need a card?", "card")


def test_nested_details_become_headings_one_level_deeper():
    inner = "<details><summary>Inner</summary><p>b</p></details>"
    body = f"<h1>T</h1><details><summary>Outer</summary><p>a</p>{inner}</details>"
    assert markdown_of(body) == "# T\n\n## Outer\n\na\n\n### Inner\n\nb"


def test_accordion_buttons_become_headings():
    body = """<h1>FAQ</h1><button aria-expanded="false" aria-controls="a1">Can I pause a plan?</button>
    <div id="a1" class="accordion-panel" style="display: none" aria-hidden="true"><p>Yes, at any time.</p></div>"""
    assert markdown_of(body) == "# FAQ\n\n## Can I pause a plan?\n\nYes, at any time."


def test_definition_lists_become_readable_lists():
    assert markdown_of("<dl><dt>RPO</dt><dd>What may be lost</dd><dt>RTO</dt><dd>How long it takes</dd></dl>") == (
        "- **RPO**: What may be lost\n- **RTO**: How long it takes"
    )


def test_questions_in_a_definition_list_become_headings():
    markdown = markdown_of("<h1>FAQ</h1><dl><dt>Is it free?</dt><dd>No.</dd></dl>")
    assert markdown == "# FAQ\n\n## Is it free?\n\nNo."


FAQ_PAGE = """<script type="application/ld+json">{"@context": "https://schema.org", "@graph": [{"@type": "FAQPage",
"mainEntity": [{"@type": "Question", "name": "Is there a trial?", "acceptedAnswer": {"@type": "Answer",
"text": "<h1>Trial</h1><p>Yes, <b>30 days</b>, see <a href='/p'>prices</a>.</p>"}}]}]}</script>"""


def test_questions_for_search_engines_only_are_appended():
    content = extract(page("<h1>Prices</h1><p>Ask us.</p>" + FAQ_PAGE), url=URL)
    assert content.markdown.endswith("## Is there a trial?\n\nTrial\n\nYes, **30 days**, see prices.")
    assert content.headings[-1] == Heading(2, "Is there a trial?", None)


def test_questions_that_can_be_read_in_the_page_are_not_repeated():
    body = "<h1>Prices</h1><h2>Is there a trial?</h2><p>Trial: yes, 30 days, see prices.</p>" + FAQ_PAGE
    assert markdown_of(body).count("Is there a trial?") == 1


def test_malformed_json_ld_costs_nothing():
    body = '<h1>T</h1><p>Text.</p><script type="application/ld+json">{"@type": "FAQPage", </script>'
    assert markdown_of(body) == "# T\n\nText."


def test_words_of_the_product_are_not_taken_for_widgets():
    body = """<p>Click <b>Copy</b>, then <b>Print</b>.</p><ul><li>Share</li></ul>
    <section id="feedback"><h2>Feedback</h2><p>Send it.</p></section>"""
    assert markdown_of(body) == "Click **Copy**, then **Print**.\n\n- Share\n\n## Feedback\n\nSend it."


def test_links_that_only_call_to_action_are_gone_and_sentences_with_such_words_stay():
    body = """<div class="card"><p>Restore in seconds.</p><a href="/f">Learn more</a></div>
    <p><a href="/t">Try it free</a></p><p>To <a href="/start">get started</a>, install an agent.</p>
    <h2>Get started</h2><p>Here.</p>"""
    assert markdown_of(body) == "Restore in seconds.\n\nTo get started, install an agent.\n\n## Get started\n\nHere."


def test_relative_dates_are_gone():
    assert (
        markdown_of("<h1>T</h1><ul class='meta-group'><li>2 years ago</li></ul><p>Updated 3 days ago</p><p>x</p>")
        == "# T\n\nx"
    )


def test_drop_down_heads_of_madcap_flare_become_headings():
    body = """<h1>T</h1><div class="MCDropDown"><span class="MCDropDownHead"><a href="#">To restore</a></span>
    <div class="MCDropDownBody"><p>Click once.</p></div></div>"""
    assert markdown_of(body) == "# T\n\n## To restore\n\nClick once."


def test_permalink_after_a_heading_gives_its_anchor():
    body = '<div><h2>Use</h2><a id="user-content-use" class="anchor" href="#use"><svg></svg></a></div><p>x</p>'
    assert extract(page(body), url=URL).headings == (Heading(2, "Use", "use"),)


def test_related_section_with_prose_is_kept():
    body = (
        "<h1>T</h1><p>x</p><h2>See also</h2><p>Retention rules decide how long a <a href='/b'>backup</a> is kept.</p>"
    )
    assert "Retention rules decide" in markdown_of(body)


def test_tab_panels_that_are_hidden_at_first_are_kept():
    assert "apt install" in markdown_of('<h1>T</h1><div role="tabpanel" hidden><p>apt install agent</p></div>')


def test_layout_tables_do_not_hide_headings():
    content = extract(
        page('<table role="presentation"><tr><td><h2>Plans</h2><p>Three of them.</p></td></tr></table>'), url=URL
    )
    assert content.markdown == "## Plans\n\nThree of them."


def test_a_fence_shown_as_text_does_not_swallow_the_headings_below():
    content = extract(page("<h1>T</h1><p>```bash ls</p><p>more</p><h2>Next</h2><p>end</p>"), url=URL)
    assert [heading.text for heading in content.headings] == ["T", "Next"]


def test_anchor_of_the_section_around_a_heading_counts():
    content = extract(
        page('<section id="limits"><h2>Limits</h2><p>x</p></section><a id="old"></a><h2>Next</h2>'), url=URL
    )
    assert [heading.anchor for heading in content.headings] == ["limits", "old"]


@given(st.text(alphabet=st.sampled_from("<>/=\"' abdhilmnprst12#`|-*\n&;"), max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_markup_is_read_without_an_error(html: str):
    content = extract(f"<main>{html}", url=URL)
    assert content == extract(f"<main>{html}", url=URL)


@given(st.lists(st.text(alphabet="abcdefgh ", min_size=1, max_size=20).filter(str.strip), min_size=1, max_size=8))
@settings(max_examples=50, deadline=None)
def test_every_heading_line_has_its_entry(texts: list[str]):
    body = "".join(f"<h{n % 5 + 1}>{text}</h{n % 5 + 1}><p>word</p>" for n, text in enumerate(texts))
    content = extract(page(body), url=URL)
    lines = [line.lstrip("# ") for line in content.markdown.split("\n") if line.startswith("#")]
    assert lines == [heading.text for heading in content.headings] == [" ".join(text.split()) for text in texts]
