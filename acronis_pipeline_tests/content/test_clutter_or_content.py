"""Rules for clutter know where they stand: words of navigation and boxes within the main content are content."""

import pytest

from acronis_pipeline.content import Content, extract
from acronis_pipeline_tests.content.pages import URL

INTRODUCTION = "<p>Every command of the File menu, and what it does with the open report.</p>"


def read(body: str) -> Content:
    return extract(
        f"<html lang=en><body><nav><a href=/>Home</a></nav><main><h1>File</h1>{INTRODUCTION}{body}</main></body>",
        url=URL,
    )


@pytest.mark.parametrize(
    "word",
    "Copy|Copy link|Print|Share|Edit page|Next|Previous|Search|Feedback|Log in|Menu|Contents|Related articles"
    "|On this page|Back to top|Send feedback|View source|Skip to content|Last updated: any time".split("|"),
)
def test_stock_phrases_stay_as_headings_cells_terms_and_items(word: str):
    content = read(
        f"<h2 id=it>{word}</h2><p>What it does, in a sentence.</p>"
        f'<div class=wrap><h3>{word}</h3><a href="#x">#</a></div>'
        f"<p>More.</p><table><tr><th>Command</th><th>{word}</th></tr><tr><td><p>{word}</p></td>"
        f"<td><span>{word}</span></td></tr></table><ul><li><p>{word}</p></li><li>Close</li></ul>"
        f"<dl><dt>{word}</dt><dd>A command.</dd></dl>"
    )
    assert [(heading.text, heading.anchor) for heading in content.headings][1:] == [(word, "it"), (word, "x")]
    assert f"| Command | {word} |" in content.markdown
    assert f"| {word} | {word} |" in content.markdown
    assert f"- {word}" in content.markdown
    assert f"**{word}**: A command." in content.markdown
    assert not content.removed


def test_same_words_on_controls_go():
    content = read(
        "<div class=actions><button>Print</button><a href='javascript:print()'>Print</a><a href=#>Share</a></div>"
        "<p>Last updated on May 3, 2024</p>"
        "<h2>On this page</h2><ul><li><a href=#a>A</a><li><a href=#b>B</a></ul>"
    )
    assert content.markdown == f"# File\n\n{INTRODUCTION[3:-4]}"
    assert {one.rule for one in content.removed} == {"element", "stock phrase", "list of contents"}


def test_button_in_a_sentence_or_alone_in_a_cell_is_a_picture_of_one():
    content = read("<p>Click <button>Share</button>.</p><table><tr><th>Button<tr><td><button>Print</button></table>")
    assert "Click Share." in content.markdown
    assert "| Print |" in content.markdown
    assert "Copy" not in read("<p><code>stowctl login</code> <button>Copy</button></p>").markdown


@pytest.mark.parametrize("name", "banner related share promo newsletter ads sidebar announcement feedback meta".split())
def test_box_with_prose_is_content_whatever_its_class(name: str):
    said = "The related tables hold one row a tenant and are emptied nightly."
    assert said in read(f'<div class="{name}"><p>{said}</p></div>').markdown
    assert said in read(f'<aside class="{name}"><p>{said}</p></aside>').markdown


@pytest.mark.parametrize(
    "box",
    [
        "<div class=newsletter><h3>Subscribe</h3><p>Get the latest news in your inbox every month.</p>"
        "<form><input type=email><button>Subscribe</button></form></div>",
        "<aside class=promo><p>Try it for free, no credit card required. It is great.</p><a class=btn>Go</a></aside>",
        "<div class=related><h2>Related</h2><ul><li><a href=1>One page</a><li><a href=2>Another page</a></ul></div>",
        "<div class=cookie-banner><p>We use cookies to improve this site. You agree.</p><button>OK</button></div>",
        "<div class=feedback><p>Was this page helpful to you?</p><button>Yes</button><button>No</button></div>",
        "<nav aria-label=pagination><a href=1>Previous: one</a><a href=2>Next: two</a></nav>",
        "<footer><p>© 2026 Acme Corporation. All rights reserved, all over the world.</p></footer>",
    ],
)
def test_box_with_controls_or_links_alone_goes(box: str):
    content = read(box)
    assert content.markdown == f"# File\n\n{INTRODUCTION[3:-4]}"
    assert content.removed


@pytest.mark.parametrize(
    ("markup", "said"),
    [
        ('<aside class="starlight-aside starlight-aside--tip"><p>Use it.</p></aside>', "Use it."),
        ("<aside><p>Needs port 443.</p></aside>", "Needs port 443."),
        ('<aside class="footnote brackets"><span>[1]</span><p>Only on Windows</p></aside>', "Only on Windows"),
        ("<aside class=sidebar><p class=sidebar-title>Ports</p><p>The agent needs port 443 open.</p></aside>", "Ports"),
        ("<div role=note><p>A note.</p></div>", "A note."),
        ("<blockquote><p>Good.</p><footer>Jane Doe, Acme</footer></blockquote>", "Jane Doe, Acme"),
        ("<footer><p>Applies to the agent for Linux only, from release 15 on.</p></footer>", "Linux only"),
        ("<header><p>Applies to version 5 and later of the agent.</p></header>", "version 5"),
        (
            "<div class=modal><figure><figcaption>The dialog Delete, with its box ticked.</figcaption></figure></div>",
            "box",
        ),
        (
            "<nav><a href=a><h3>Install</h3><p>How to.</p></a><a href=b><h3>Update</h3><p>How to.</p></a></nav>",
            "Update",
        ),
        ("<div class=cookie-policy><h2>Cookies</h2><p>The session cookie lives for a day at most.</p></div>", "a day"),
        ("<p>Press <span class=menu>Share</span> or <span class=nav>Copy</span>.</p>", "Press Share or Copy."),
        ("<table><tr class=related><th>A<tr class=meta><td class=share>Yes</table>", "Yes"),
        (
            '<pre><span class="token comment"># why</span>\n<span class=nb>print</span>(<b>copy</b>)</pre>',
            "# why\nprint(copy)",
        ),
    ],
)
def test_boxes_and_parts_of_documentation_stay(markup: str, said: str):
    content = read(markup)
    assert said in content.markdown
    assert not content.removed


def test_page_without_declared_content_keeps_its_headings_too():
    prose = "<p>Puts the selected rows on the clipboard as a table, which any program can read.</p>"
    html = f"<html><body><div><h1>Menu</h1>{prose}<h2>Copy</h2>{prose}<h2>Print</h2>{prose}</div></body></html>"
    assert [heading.text for heading in extract(html, url=URL).headings] == ["Menu", "Copy", "Print"]


def test_what_is_hidden_until_a_control_shows_it_is_content():
    content = read(
        "<h2><button aria-expanded=false aria-controls=a>How do I restore?</button></h2>"
        "<div id=a hidden><p>Choose it.</p></div><div hidden=until-found><p>Found.</p></div>"
        "<div style='display:none'><p>Never shown.</p></div>"
    )
    assert "## How do I restore?\n\nChoose it." in content.markdown
    assert "Found." in content.markdown
    assert "Never shown." not in content.markdown


def test_what_goes_around_the_content_is_not_counted():
    assert read("").removed == ()
