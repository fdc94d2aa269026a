"""What mark-up says within a line, in letters: powers, icons, states, keys, formulas, lines of code."""

import pytest

from acronis_pipeline.content import extract
from acronis_pipeline_tests.content.pages import URL


def read(body: str) -> str:
    html = f"<html lang=en><body><main><h1>T</h1>{body}</main></body></html>"
    return extract(html, url=URL).markdown.removeprefix("# T").strip("\n")


def cell(markup: str) -> str:
    return (
        read(f"<table><tr><th>A<th>B<tr><td>x<td>{markup}</table>").split("\n")[-1].split(" | ")[1].removesuffix(" |")
    )


@pytest.mark.parametrize(
    ("markup", "said"),
    [
        ("10<sup>6</sup> objects", "10^6 objects"),
        ("2<sup>32</sup>, 10<sup>-15</sup>", "2^32, 10^-15"),
        ("5 m<sup>2</sup>, km<sup>2</sup>, x<sup>n</sup>", "5 m^2, km^2, x^n"),
        ("2<sup>n+1</sup>, (a+b)<sup>2</sup>", "2^(n+1), (a+b)^2"),
        ("H<sub>2</sub>O, CO<sub>2</sub>, log<sub>2</sub>(n)", "H2O, CO2, log2(n)"),
        ("x<sub>i</sub>, T<sub>max</sub>, 101<sub>2</sub>", "x_i, T_max, 101_2"),
        ("1<sup>st</sup>, 22<sup>nd</sup>", "1st, 22nd"),
        ("before tax.<sup>1</sup>", "before tax.¹"),
        ("Yes<sup>1</sup>, 5 GB<sup>2</sup>", "Yes¹, 5 GB²"),
        ("word<sup><a href=#fn>[12]</a></sup>", "word¹²"),
        ("Acme<sup>TM</sup> Foo<sup>®</sup>", "Acme™ Foo®"),
        ("Feature<sup>beta</sup>", "Feature beta"),
        ("10<span class=sup>6</span>", "10^6"),
        ("<kbd>Ctrl</kbd><kbd>V</kbd>", "`Ctrl`+`V`"),
        ("<kbd><kbd>Alt</kbd>+<kbd>F4</kbd></kbd>", "`Alt+F4`"),
        ("<del>30</del> <ins>60</ins> days, <s>old</s>", "~~30~~ 60 days, ~~old~~"),
        ("<q>Hello</q>", "“Hello”"),
        (
            "<abbr title='Recovery point'>RPO</abbr>, <abbr title='Recovery point'>RPO</abbr>",
            "RPO (Recovery point), RPO",
        ),
        ("marked <abbr title=required>*</abbr>", "marked * (required)"),
        ("<ruby>漢<rt>かん</rt></ruby>, <ruby>字<rp>(</rp><rt>じ</rt><rp>)</rp></ruby>", "漢(かん), 字(じ)"),
        ("on <time datetime=2024-05-03></time>", "on 2024-05-03"),
        ("very<wbr>long&shy;word &#8594; &nbsp;x", "verylongword → x"),
        ("at least 12<span class=sr-only> characters</span>", "at least 12 characters"),
        ('<a href=x>Docs<span class="visually-hidden"> (opens in new tab)</span></a>', "Docs"),
        ("Click <img src=g.png alt=Settings> to open", "Click Settings to open"),
        ("<svg aria-label=Warning></svg> Beware", "Warning Beware"),
        ("more <i class='fa fa-arrow-right'></i>", "more"),
        ("Default: <input value='30 days' readonly>", "Default: 30 days"),
    ],
)
def test_a_line_says_what_a_reader_sees(markup: str, said: str):
    assert " ".join(read(f"<p>{markup}</p>").split()) == said


@pytest.mark.parametrize(
    ("markup", "said"),
    [
        ('<svg role="img" aria-label="No"><path/></svg>', "No"),
        ("<svg><title>Yes</title></svg>", "Yes"),
        ('<svg><use href="#icon-check"/></svg>', "Yes"),
        ('<i class="fa fa-check text-success"></i>', "Yes"),
        ('<i class="bi bi-x-circle"></i>', "No"),
        ("<span class=material-icons>close</span>", "No"),
        ("<mat-icon>done</mat-icon>", "Yes"),
        ('<span role="img" aria-label="Not supported">❌</span>', "No"),
        ("<span title=Partial></span>", "Partial"),
        ('<svg aria-hidden="true"></svg><span class="visually-hidden">Not included</span>', "Not included"),
        ("<span aria-hidden=true>✓</span>", "✓"),
        ("<span aria-hidden=true>✓</span><span class=sr-only>Yes</span>", "Yes"),
        ('<svg aria-label="Yes"></svg> since 2.0', "Yes since 2.0"),
        ("<a href=x><svg aria-label=Supported></svg></a>", "Yes"),
        ("<input type=checkbox checked>", "Yes"),
        ("<input type=radio disabled>", "No"),
        ("<span role=switch aria-checked=true></span>", "Yes"),
        ("<input value=8443>", "8443"),
        ("<select><option>off<option selected>on</select>", "on"),
        ("<textarea>some text</textarea>", "some text"),
        ("<progress value=70 max=100></progress>", "70 of 100"),
        ("<meter value=.6>60 %</meter>", "60 %"),
        ("<img data-src=x><noscript><img src=x alt=Yes></noscript>", "Yes"),
        ("<img alt=No><noscript><img alt=No></noscript>", "No"),
        ("<i class=tick></i>", "Yes"),
    ],
)
def test_a_cell_says_what_its_icon_or_control_shows(markup: str, said: str):
    assert cell(markup) == said


def test_items_keep_their_marks():
    marks = (
        "<ul><li><input type=checkbox checked> Done<li><input type=checkbox> Open<li><i class='fa fa-x'></i> Tape</ul>"
    )
    assert read(marks) == "- [x] Done\n- [ ] Open\n- ✗ Tape"


@pytest.mark.parametrize(
    ("markup", "said"),
    [
        ("<ol start=3><li>c<li>d</ol>", "3. c\n4. d"),
        ("<ol><li value=10>ten<li>eleven</ol>", "10. ten\n11. eleven"),
        ("<ol type=a><li>one<li>two</ol>", "- a. one\n- b. two"),
        ("<ol reversed><li>two<li>one</ol>", "- (2) two\n- (1) one"),
        ("<ol style='list-style-type: upper-roman'><li>one<li>two</ol>", "- I. one\n- II. two"),
    ],
)
def test_lists_keep_the_labels_that_the_text_refers_to(markup: str, said: str):
    assert read(markup) == said


FORMULA = "<math><semantics><mi>x</mi><annotation encoding='application/x-tex'>x^2</annotation></semantics></math>"


@pytest.mark.parametrize(
    ("markup", "said"),
    [
        (
            f"<span class=katex><span class=katex-mathml>{FORMULA}</span><span aria-hidden=true>x2</span></span>",
            "$x^2$",
        ),
        ("<span class=MathJax_Preview></span><span class=MathJax>xx</span><script type=math/tex>z^3</script>", "$z^3$"),
        (
            "<mjx-container><svg></svg><mjx-assistive-mml><math><mi>y</mi></math></mjx-assistive-mml></mjx-container>",
            "y",
        ),
        ("<math><msup><mi>x</mi><mn>2</mn></msup><mo>=</mo><mfrac><mn>1</mn><mn>2</mn></mfrac></math>", "x^2 = 1/2"),
        ("<img class=math alt='a^2' src=x>", "$a^2$"),
    ],
)
def test_a_formula_is_there_once(markup: str, said: str):
    assert read(f"<p>It is {markup}</p>") == f"It is {said}"


@pytest.mark.parametrize(
    "pre",
    [
        "<pre><code><span style='display:block'>ls -l</span><span style='display: block'>pwd</span></code></pre>",
        "<pre><code>ls -l</code><code>pwd</code></pre>",
        "<pre><code><div class=line>ls -l</div><div class=line>pwd</div></code></pre>",
        "<pre><code><span class=line><b>ls</b> -l</span>\n<span class=line>pwd</span></code></pre>",
        "<pre><ol><li>ls -l</li><li>pwd</li></ol></pre>",
        "<pre>ls -l<br>pwd<button>Copy</button></pre>",
        "<pre><span class=lineno>1 </span>ls -l\n<span class=lineno>2 </span>pwd</pre>",
        "<table><tr><td><pre>1\n2</pre></td><td><pre>ls -l\npwd</pre></td></tr></table>",
        "<pre><code><table><tr><td data-line-number=1></td><td class=hljs-ln-code>ls -l</td></tr>"
        "<tr><td data-line-number=2></td><td class=hljs-ln-code>pwd</td></tr></table></code></pre>",
    ],
)
def test_code_has_its_lines_and_no_numbers(pre: str):
    assert read(pre) == "```\nls -l\npwd\n```"


def test_boxes_say_the_type_that_only_their_colour_tells():
    assert read("<div class='admonition warning'><p>Do not unplug.</p></div>") == "**Warning:**\n\nDo not unplug."
    assert read("<div class='alert alert-danger'>Deletes all.</div>") == "Danger: Deletes all."
    assert read("<div class='admonition warning'><p><b>Warning</b> Hot.</p></div>") == "**Warning** Hot."
    antora = "<table><tr><td class=icon><i title=Tip></i></td><td>Read it.</td></tr></table>"
    assert read(f"<div class='admonitionblock tip'>{antora}</div>") == "**Tip:**\n\nRead it."


def test_shadow_trees_are_attached_with_their_slots():
    shadow = "<template shadowrootmode=open><p>Says <slot></slot>, <slot name=b>none</slot></p></template>"
    assert read(f"<x-card>{shadow}a<i slot=b>c</i></x-card>") == "Says a, *c*"
