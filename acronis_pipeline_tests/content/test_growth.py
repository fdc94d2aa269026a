"""What a page costs grows with its size and no faster, whatever it repeats: CPU time of each stage, size of Markdown."""

# ruff: noqa: E501

import resource
from collections.abc import Callable

import pytest

from acronis_pipeline.answer.extractive import quotable
from acronis_pipeline.chunk import chunk_page, near_duplicates, repeated
from acronis_pipeline.chunk.pages import refusal
from acronis_pipeline.content import extract, plain_text
from acronis_pipeline.content.markdown_page import restructured_to_html, to_html
from acronis_pipeline.core.settings import ChunkSettings
from acronis_pipeline.crawl.judging import non_pages, verdict
from acronis_pipeline.pairs.generator import TASK_OF_STYLE, Chunk
from acronis_pipeline.pairs.generators.structural import StructuralGenerator

pytestmark = pytest.mark.slow

URL = "https://docs.example.com/page"
SMALL, GROWTH = 2_000, 4
MOST_TIMES = 14
"""Four times the page may take so many times as long: a square takes sixteen."""
ALWAYS_S = 2.5
"""Less than this is noise, whatever it is a multiple of."""
MOST_CHARS = 12

Grown = Callable[[int], str]


class Words:
    """A token for every four characters, as a tokenizer gives on average."""

    def count(self, text: str) -> int:
        return 2 + len(text) // 4

    def count_many(self, texts):
        return [self.count(text) for text in texts]


def page(body: str) -> str:
    return f"<!doctype html><html><head><title>T</title></head><body><main><h1>T</h1>{body}</main></body></html>"


def repeat(piece: str) -> Grown:
    return lambda n: piece * (n // len(piece))


def within(piece: str, around: str = "p") -> Grown:
    return lambda n: page(f"<{around}>{piece * (n // len(piece))}</{around}>")


def beside(piece: str) -> Grown:
    return lambda n: page(piece * (n // len(piece)))


def nested(opening: str, closing: str) -> Grown:
    """As deep as pages are read."""

    def grown(n: int) -> str:
        times = n // (len(opening) + len(closing))
        deep = min(times, 800)
        return page((opening * deep + closing * deep) * (times // deep))

    return grown


HTML: dict[str, Grown] = {
    **{
        sign: within(sign)
        for sign in '* *a _a_ ` `a | &gt; [ [a]( ![ # \\ . A. ? ~ 1. a {{ @ ( " / a, a: a_ 漢。'.split()
    },
    "blanks": lambda n: page(f"<p>a{' ' * n}b</p>"),
    "blank lines": lambda n: page(f"<pre>a{chr(10) * n}b</pre>"),
    "sentences": within("This is a sentence with words. "),
    "no end of a sentence": within("a long text without any end, "),
    "code lines": within("a \\\n", "pre"),
    "fences in code": within("```\n", "pre"),
    "fences in text": beside("<p>```bash</p><h2>a b</h2>"),
    "code spans": within("<code>a</code> "),
    "paragraphs": beside("<p>word</p>"),
    "bold questions": beside("<p><b>What is it now?</b></p><p>It is this.</p>"),
    "lead-ins": beside("<p>a b:</p>"),
    "headings": beside("<h2>Heading</h2>"),
    "first headings": beside("<h1>a b</h1>"),
    "headings with text": beside("<h3 id=a>Heading b</h3><p>Some text that is here.</p>"),
    "a long heading": lambda n: page(f"<h2>{'a ' * (n // 2)}</h2><p>a b c d e f</p>"),
    "a long title": lambda n: f"<title>{'a - ' * (n // 4)}</title><p>a b c d e f g</p>",
    "links": beside("<a href='/x'>link</a> "),
    "contents": within("<li><a href='#a'>b</a></li>", "ul"),
    "contents in contents": nested("<ul><li><a href='#a'>b</a>", "</ul>"),
    "items": within("<li>a b c d</li>", "ul"),
    "lists": beside("<ul><li>item</li></ul>"),
    "lists in lists": nested("<ul><li>a", "</li></ul>"),
    "numbered lists in lists": nested("<ol><li><p>a b c</p>", "</li></ol>"),
    "code in lists in lists": nested("<ul><li><p>a b</p><pre>a\nb</pre>", "</ul>"),
    "definitions": within("<dt>a</dt><dd>b</dd>", "dl"),
    "definitions in definitions": nested("<dl><dt>a<dd>b", "</dl>"),
    "quotations in quotations": nested("<blockquote><p>a</p>", "</blockquote>"),
    "divisions in divisions": nested("<div>word ", "</div>"),
    "named divisions in divisions": nested("<div class=toc>word ", "</div>"),
    "rows": within("<tr><td>a</td><td>b</td></tr>", "table"),
    "columns": lambda n: page(f"<table><tr>{'<th>a b</th>' * (n // 20)}<tr>{'<td>b</td>' * (n // 20)}</table>"),
    "tables": beside("<table><tr><th>a<th>b<tr><td>c<td>d</table>"),
    "tables in tables": nested("<table><tr><td>a<td>b", "</table>"),
    "spans of rows": within("<tr><td rowspan=999>a<td>b</tr>", "table"),
    "spans of columns": within("<tr><td colspan=999>a<td>b</tr>", "table"),
    "spans of both": within("<tr><td colspan=999 rowspan=999>a word or two<td>b</tr>", "table"),
    "one large span": lambda n: page(
        f"<table><tr><td rowspan=200 colspan=200>{'a word ' * (n // 20)}<td>b{'<tr><td>c' * (n // 20)}</table>"
    ),
    "sections that open": beside("<details><summary>What now</summary>text</details>"),
    "sections within sections": nested("<details><summary>a b c</summary>t", "</details>"),
    "accordion buttons": beside("<button aria-expanded=false>A b c</button><p>t</p>"),
    "admonitions": beside("<div class=admonition><p class=admonition-title>Note</p><p>t</p></div>"),
    "long class": lambda n: page(f"<div class='{'nav-' * (n // 4)}x'>x</div>"),
    "long consent class": lambda n: page(f"<div class='{'-cookie_' * (n // 8)}+'>x</div>"),
    "long id": lambda n: page(f"<div id='{'site-page-' * (n // 10)}x'>x</div>"),
    "many classes": lambda n: page(f"<div class='{'nav-x ' * (n // 6)}'>x</div>"),
    "attributes": lambda n: page("<p " + "".join(f"a{i}=b " for i in range(n // 8)) + ">x</p>"),
    "JSON-LD": lambda n: f"<script type='application/ld+json'>{'[' * n}</script><p>a b c d e</p>",
    "unclosed comments": beside("<!--"),
    "unclosed paragraphs": beside("<p>a"),
    "no semantic element": lambda n: f"<title>x</title><body>{'<div><p>word or two.</p></div>' * (n // 30)}",
    "not found": within("page not found "),
    "word joiners": within("a\u200d"),
}
MARKDOWN: dict[str, Grown] = {
    **{
        sign.replace("\n", "⏎"): repeat(sign)
        for sign in (
            "[", "![", "[\n", "[a][", "[a](b", "*", "*a ", "**a _b ", "`", "`a", "` `` ", "```\n", "~~~a\nb\n", "|", "|a|b\n",
            ">", "> a\n", "<", "<a ", "<A ", "<A\n", "<b>", "<Tab>\n", '<Tab title="a">\nx\n</Tab>\n', "<a b=\"", "<!--",
            "{/* ", "%% ", "{", "{{< ", "{% a ", "{{ a }}", "{a}\n", "# a\n", "# a {#b}\n", "!!! note\n", ":::", ":::note\n",
            ":::note\na\n:::\n", "import a from 'b'\n", "import {\n", "export const a = {\n\n", "[^1]: a\n", "a[^1] ",
            "a\n: b\n", "[a]: b\n", "[[a]] ", "[[a|", ".. note::\n", ":ref:`a` ", ":ref:`", "|a| ", "a\n===\n", "---\n", "==",
            "$$", "- a\n", "1. a b c\n", "- ```\n", "{: .note }\na\n", "> [!NOTE]\n> a\n", "a\n\n", "    a\n", "{x=", "<X a={",
            "=== \"a\"\n", "```{note}\n", "::x[", "<details>\n<summary>a b c</summary>\n\nt\n\n</details>\n",
        )
    },
    "lists, each deeper": lambda n: "".join("  " * i + "- a\n" for i in range(int(n**0.5))),
    "quotations, each deeper": lambda n: "".join("> " * i + "a\n\n" for i in range(int(n**0.5))),
    "components, each deeper": lambda n: "".join("  " * i + "<Tab title='a'>\n" for i in range(int(n**0.5))),
    "notes, each deeper": lambda n: "".join("    " * i + "!!! note\n" for i in range(int((n / 2) ** 0.5))),
    "directives, each deeper": lambda n: "".join("   " * i + ".. note::\n\n" for i in range(int((n / 2) ** 0.5))),
    "lists on a line": lambda n: "- " * (n // 2) + "a",
    "quotations on a line": lambda n: "> " * (n // 2) + "a",
    "a wide table": lambda n: "|a" * (n // 8) + "|\n" + "|-" * (n // 8) + "|\n" + "|\n" * (n // 8),
}  # fmt: skip


def cost(html: str) -> tuple[float, int]:
    """Seconds of CPU time that a page takes on its way to questions and answers, and the characters of its Markdown."""
    started = _cpu_s()
    if non_pages.is_nested_too_deeply(html):
        return _cpu_s() - started, 0
    content = extract(html, url=URL)
    non_pages.hidden_by(html, content.title, content.markdown)
    refusal(content)
    repeated.without(content, repeated.keys(content)[:1])
    for strategy in ("headings", "recursive", "page"):
        found = chunk_page(content, URL, ChunkSettings(strategy=strategy), Words())
        near_duplicates.clusters({one.chunk_id: (one.text, one.passage) for one in found[:50]}, 0.8)
        chunks = [
            Chunk(c.chunk_id, c.url, c.title, c.heading_path, c.ordinal, c.text, c.passage, c.chunk_id, "en")
            for c in found
        ]
        StructuralGenerator(chunks, 6, dict.fromkeys(TASK_OF_STYLE, 1.0)).generate(chunks)
        for one in found:
            quotable(one.text)
    return _cpu_s() - started, len(content.markdown)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@pytest.fixture(scope="module", autouse=True)
def _warm():
    cost(page("<p>Some text. <b>More</b> of it?</p>"))


def assert_linear(grown: Grown, read: Callable[[str], str]) -> None:
    small_s, _ = cost(read(grown(SMALL)))
    text = grown(GROWTH * SMALL)
    started = _cpu_s()
    html = read(text)
    read_s = _cpu_s() - started
    large_s, n_chars = cost(html)
    assert read_s < ALWAYS_S
    assert large_s < max(ALWAYS_S, MOST_TIMES * small_s)
    assert n_chars <= MOST_CHARS * len(text) + 1_000


@pytest.mark.parametrize("pattern", HTML)
def test_markup_costs_what_its_size_is(pattern):
    assert_linear(HTML[pattern], lambda html: html)


@pytest.mark.parametrize("pattern", MARKDOWN)
def test_markdown_costs_what_its_size_is(pattern):
    assert_linear(MARKDOWN[pattern], to_html)


@pytest.mark.parametrize("pattern", MARKDOWN)
@pytest.mark.parametrize("read", [plain_text.to_html, restructured_to_html])
def test_text_costs_what_its_size_is(read, pattern):
    text = MARKDOWN[pattern](2 * GROWTH * SMALL)
    started = _cpu_s()
    read(text)
    assert _cpu_s() - started < 2 * ALWAYS_S


def test_words_that_stand_too_deep_are_kept():
    lists = "".join("  " * depth + f"- word{depth}\n" for depth in range(60))
    deep = "".join(f"<ul><li>word{depth}" for depth in range(60)) + "</ul>" * 60
    for html in (to_html(lists), page(deep), to_html("> " * 60 + "word0"), to_html("- " * 60 + "word0")):
        words = set(extract(html, url=URL).markdown.split())
        assert {word for word in ("word0", "word59") if word in html} <= words


@pytest.mark.parametrize("piece", ["<meta ", "<meta name ", "<!--", "<script>", "<svg><!--", "<style></style"])
def test_what_is_looked_at_before_parsing_costs_what_its_size_is(piece):
    html = "<div>" * (non_pages.MAX_NESTING + 1) + piece * (400_000 // len(piece))
    started = _cpu_s()
    assert non_pages.is_nested_too_deeply(html)
    verdict._meta_directives(html, "acronis-pipeline")
    assert _cpu_s() - started < 2 * ALWAYS_S
