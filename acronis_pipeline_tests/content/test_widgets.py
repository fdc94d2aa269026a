"""Markup of MkDocs Material, Sphinx, Docusaurus, Bootstrap and GitHub, as those write it."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acronis_pipeline.content import extract
from acronis_pipeline_tests.content.pages import URL, page


def markdown_of(body: str) -> str:
    return extract(page(body), url=URL).markdown


MATERIAL_TABS = """<div class="tabbed-set tabbed-alternate" data-tabs="1:2">
<input checked id="__tabbed_1_1" type="radio">
<input id="__tabbed_1_2" type="radio"><div class="tabbed-labels"><label for="__tabbed_1_1">Linux</label>
<label for="__tabbed_1_2">Windows</label></div><div class="tabbed-content"><div class="tabbed-block"><p>Run it.</p>
</div>
<div class="tabbed-block"><p>Install it.</p></div></div></div>"""
DOCUSAURUS_TABS = """<div class="tabs-container"><ul role="tablist" class="tabs">
<li role="tab" class="tabs__item">Linux</li>
<li role="tab" class="tabs__item">Windows</li></ul><div class="margin-top--md"><div role="tabpanel"><p>Run it.</p>
</div>
<div role="tabpanel" hidden><p>Install it.</p></div></div></div>"""
BOOTSTRAP_TABS = """<ul class="nav nav-tabs" role="tablist"><li><a data-bs-toggle="tab" href="#l">Linux</a></li>
<li><a data-bs-toggle="tab" href="#w">Windows</a></li></ul><div class="tab-content"><div class="tab-pane" id="l">
<p>Run it.
</p></div><div class="tab-pane" id="w" style="display:none"><p>Install it.</p></div></div>"""
SPHINX_DESIGN_TABS = """<div class="sd-tab-set"><input checked id="t0" type="radio">
<label class="sd-tab-label" for="t0">
Linux</label><div class="sd-tab-content"><p>Run it.</p></div><input id="t1" type="radio">
<label class="sd-tab-label" for="t1">Windows</label><div class="sd-tab-content"><p>Install it.</p></div></div>"""


@pytest.mark.parametrize("tabs", [MATERIAL_TABS, DOCUSAURUS_TABS, BOOTSTRAP_TABS, SPHINX_DESIGN_TABS])
def test_each_tab_shows_its_name_above_its_panel(tabs: str):
    assert markdown_of(f"<h1>T</h1>{tabs}") == "# T\n\n**Linux:**\n\nRun it.\n\n**Windows:**\n\nInstall it."


def test_tabs_that_lead_to_other_pages_are_navigation():
    row = '<ul role="tablist"><li><a role="tab" href="/a">Guide</a></li><li><a role="tab" href="/b">API</a></li></ul>'
    assert markdown_of(f"<h1>T</h1>{row}<p>Text.</p>") == "# T\n\nText."


@pytest.mark.parametrize(
    "box",
    [
        '<div class="admonition warning"><p class="admonition-title">Mind this</p><p>Keep keys.</p></div>',
        '<div class="theme-admonition alert"><div class="admonitionHeading_Gv"><span></span>Mind this</div>'
        '<div class="admonitionContent_B"><p>Keep keys.</p></div></div>',
        '<div class="markdown-alert"><p class="markdown-alert-title"><svg></svg>Mind this</p><p>Keep keys.</p></div>',
        '<div class="callout callout-warning"><h4>Mind this</h4><p>Keep keys.</p></div>',
        '<aside class="note"><h5>Mind this</h5><p>Keep keys.</p></aside>',
    ],
)
def test_title_of_an_admonition_leads_into_its_text_and_opens_no_section(box: str):
    content = extract(page(f"<h1>T</h1><h2>Keys</h2>{box}<p>After.</p>"), url=URL)
    assert content.markdown == "# T\n\n## Keys\n\n**Mind this:**\n\nKeep keys.\n\nAfter."


def test_github_note_in_a_quotation_is_readable():
    assert markdown_of("<blockquote><p>[!NOTE]<br>Keep keys.</p></blockquote>") == "> **Note:** Keep keys."


def test_code_keeps_its_lines_and_language_and_loses_numbers_and_buttons():
    body = """<div class="highlight"><table class="highlighttable"><tr><td class="linenos"><pre>1
2</pre></td><td class="code"><pre><code>a: 1
b: 2
</code></pre></td></tr></table><button class="md-clipboard" title="Copy to clipboard"></button></div>
    <div class="codeBlockContent"><pre class="prism-code language-js"><code>
<span class="token-line">const a = 1;<br></span>
<span class="token-line">b();<br></span></code></pre><button aria-label="Copy code"></button></div>"""
    markdown = markdown_of(body)
    assert "```\na: 1\nb: 2\n```" in markdown
    assert "```js\nconst a = 1;" in markdown
    assert "Copy" not in markdown


def test_merged_cells_stand_in_every_row_that_they_cover():
    body = """<table><thead><tr><th>Plan</th><th>Disks</th><th>Price</th></tr></thead><tbody><tr>
<td rowspan="2">Pro</td>
    <td>1</td><td>9</td></tr><tr><td>2</td><td>11</td></tr><tr><td colspan="2">Any</td><td>5</td></tr></tbody>
</table>"""
    assert markdown_of(body).split("\n")[2:] == ["| Pro | 1 | 9 |", "| Pro | 2 | 11 |", "| Any | Any | 5 |"]


def test_names_and_values_without_a_header_get_none():
    body = "<table><tr><td>RPO</td><td>15 min</td></tr><tr><td>RTO</td><td>1 h</td></tr></table>"
    assert markdown_of(body).split("\n") == ["|  |  |", "| --- | --- |", "| RPO | 15 min |", "| RTO | 1 h |"]


def test_bold_first_row_is_a_header():
    body = "<table><tr><td><b>Plan</b></td><td><b>Price</b></td></tr><tr><td>Pro</td><td>9</td></tr></table>"
    assert markdown_of(body).split("\n")[0] == "| **Plan** | **Price** |"


def test_caption_of_a_table_stays():
    body = "<table><caption>Plans</caption><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>2</td></tr></table>"
    assert "Plans" in markdown_of(body).split("| A | B |")[0]


def test_definitions_written_as_paragraphs_are_list_items():
    body = "<dl><dt><code>--keep</code></dt><dd><p>Versions.</p></dd><dt>Field:</dt><dd><p>Value.</p></dd></dl>"
    assert markdown_of(body) == "- **`--keep`**: Versions.\n- **Field**: Value."


def test_long_definitions_follow_their_term():
    body = "<dl><dt>RPO</dt><dd><p>What may be lost.</p><p>In minutes.</p></dd></dl>"
    assert markdown_of(body) == "**RPO:**\n\nWhat may be lost.\n\nIn minutes."


def test_documented_functions_are_sections_with_their_anchor():
    body = """<h1>API</h1><dl class="py function"><dt class="sig sig-object py" id="borg.create">
    <span class="sig-name">create</span>(<em>path</em>)<a class="headerlink" href="#borg.create">¶</a></dt>
    <dd><p>Create an archive.</p><p>Slowly.</p></dd></dl>"""
    content = extract(page(body), url=URL)
    assert (content.headings[1].level, content.headings[1].anchor) == (2, "borg.create")
    assert content.markdown.endswith("Create an archive.\n\nSlowly.")


def test_collapsed_aside_does_not_claim_what_follows_it():
    body = "<h1>T</h1><h2>Limits</h2><details><summary>Why so</summary><p>History.</p></details><p>64 TB a disk.</p>"
    content = extract(page(body), url=URL)
    assert content.markdown.endswith("## Limits\n\n**Why so:**\n\nHistory.\n\n64 TB a disk.")


@pytest.mark.parametrize(
    "markup",
    [
        '<p class="q"><strong>Is there a trial?</strong></p><p>Yes, 30 days.</p>',
        '<div itemscope itemtype="https://schema.org/Question"><span itemprop="name">Is there a trial?</span>'
        '<div itemprop="acceptedAnswer"><div itemprop="text">Yes, 30 days.</div></div></div>',
        '<h3 class="accordion-header"><button class="accordion-button collapsed" aria-expanded="false" '
        'aria-controls="c1">Is there a trial?</button></h3><div id="c1" class="collapse"><p>Yes, 30 days.</p></div>',
    ],
)
def test_questions_of_a_content_management_system_are_headings(markup: str):
    lines = markdown_of(f"<h1>FAQ</h1><h2>Prices</h2>{markup}").split("\n")
    assert lines[-3:] == ["### Is there a trial?", "", "Yes, 30 days."]


def test_a_bold_question_within_prose_stays_where_it_is():
    assert "#" not in markdown_of("<p><b>Why?</b> Because.</p><ul><li><p><b>Is it so?</b></p></li></ul>")


def test_footnote_marks_are_gone():
    body = '<p>Fast<sup id="fnref:1"><a class="footnote-ref" href="#fn:1">1</a></sup> and safe.</p>'
    assert markdown_of(body) == "Fast and safe."


_TAGS = re.findall(
    r"<[^>]+>|[^<>]+",
    """<div class="admonition"><div class="callout"><p class="admonition-title"><blockquote><p>[!NOTE]<dl><dt><dd>
<p><b>
    <dt class="sig" id="x"><details><summary><ul role="tablist"><li role="tab"><div role="tabpanel"><h2><h4><table>
<tr>
    <div class="tabbed-set"><div class="tabbed-labels"><label><div class="tabbed-content">
<div class="tabbed-block"><td>
    <td rowspan="3"><td colspan="2"><th><a href="/x"></a></p></div></dl></details></table></ul><aside></aside></b>
    <button aria-expanded="true"></button><label class="sd-tab-label"><div itemtype="https://schema.org/Question">
    <div itemprop="name"></blockquote></summary>words and more words?""",
)


@pytest.mark.slow
@given(st.lists(st.sampled_from(_TAGS), max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_nesting_of_widgets_is_read_and_read_the_same_again(parts: list[str]):
    html = page("".join(parts))
    assert extract(html, url=URL) == extract(html, url=URL)
