"""Tables as rows that can each be read alone, under one row of names."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.content import extract
from acronis_pipeline_tests.content.pages import URL


def read(body: str) -> list[str]:
    html = f"<html lang=en><body><main><h1>T</h1>{body}</main></body></html>"
    lines = extract(html, url=URL).markdown.removeprefix("# T").strip("\n").split("\n")
    return [line for line in lines if not line.startswith("| ---")]


HEAD = "<tr><th rowspan=2>Feature</th><th colspan=2>Windows</th></tr><tr><th>Disk</th><th>File</th></tr>"


@pytest.mark.parametrize("head", [f"<thead>{HEAD}</thead>", HEAD])
def test_header_rows_become_one(head: str):
    rows = read(f"<table>{head}<tr><td>Tape</td><td>Yes</td><td>No</td></tr></table>")
    assert rows == ["| Feature | Windows Disk | Windows File |", "| Tape | Yes | No |"]


def test_merged_cells_stand_in_each_place():
    rows = read("<table><tr><th>A<th>B<th>C<tr><th rowspan=2>x<td colspan=2>None<tr><td>1<td>2</table>")
    assert rows == ["| A | B | C |", "| x | None | None |", "| x | 1 | 2 |"]


def test_span_without_end_adds_no_columns():
    assert read("<table><tr><th>A<th colspan=1000>B<tr><td rowspan=65534>1<td>2<tr><td>3</table>") == [
        *("| A | B |", "| 1 | 2 |", "| 1 | 3 |"),
    ]


def test_group_rows_go_with_their_rows():
    rows = read(
        "<table><tr><th>F<th>A<th>B<tr><th colspan=3>Windows<tr><td>disk<td>1<td>2<tr><th colspan=3>Linux"
        "<tr><td>disk<td>3<td>4</table>"
    )
    assert rows == ["| F | A | B |", "| Windows: disk | 1 | 2 |", "| Linux: disk | 3 | 4 |"]


def test_header_that_comes_again_begins_a_table():
    rows = read("<table><tr><th>F<th>A<tr><td>1<td>2<tr><th>F<th>A<tr><td>3<td>4<tr><th>G<th>H<tr><td>5<td>6</table>")
    assert rows == ["| F | A |", "| 1 | 2 |", "| 3 | 4 |", "", "| G | H |", "| 5 | 6 |"]


@pytest.mark.parametrize(
    ("markup", "rows"),
    [
        ("<tr><th>Port<td>443<tr><th>Host<td>x", ["|  |  |", "| Port | 443 |", "| Host | x |"]),
        ("<tr><th>CPU<td>1<td>2<tr><th>RAM<td>3<td>4", ["|  |  |  |", "| CPU | 1 | 2 |", "| RAM | 3 | 4 |"]),
        ("<tr><td></td><th>A<th>B<tr><th>r<td>1<td>2", ["|  | A | B |", "| r | 1 | 2 |"]),
        ("<tr><td><b>N</b><td><b>M</b><tr><td>1<td>2", ["| **N** | **M** |", "| 1 | 2 |"]),
        ("<tr><td>N<td>M<td>O<tr><td>1<td>2<td>3", ["| N | M | O |", "| 1 | 2 | 3 |"]),
        (
            "<tfoot><tr><td>Sum<td>3</tfoot><thead><tr><th>A<th>B</thead><tr><td>1<td>2",
            ["| A | B |", "| 1 | 2 |", "| Sum | 3 |"],
        ),
        (
            "<thead><tr><th colspan=2>All</th><tr><th>A<th>B</thead><tr><td>1<td>2",
            ["*All*", "", "| A | B |", "| 1 | 2 |"],
        ),
        ("<caption>Limits</caption><tr><th>A<tr><td>1", ["*Limits*", "", "| A |", "| 1 |"]),
        (
            "<tr><td data-label=A>1<td data-label=B>2<tr><td data-label=A>3<td data-label=B>4",
            ["| A | B |", "| 1 | 2 |", "| 3 | 4 |"],
        ),
    ],
)
def test_columns_have_their_names(markup: str, rows: list[str]):
    assert read(f"<table>{markup}</table>") == rows


@pytest.mark.parametrize(
    ("markup", "said"),
    [
        ("<pre>ls -l\npwd | wc</pre>", "`ls -l` `pwd \\| wc`"),
        ("<ul><li>one<li>two</ul>", "one; two"),
        ("<p>First.</p><p>Second.</p>", "First. Second."),
        ("a|b<br>c", "a\\|b c"),
        ("<h3>Sub</h3>text", "Sub text"),
        ("<table><tr><th>k<th>v<tr><td>1<td>2</table>", "k: v; 1: 2"),
    ],
)
def test_what_a_cell_holds_stands_in_its_line(markup: str, said: str):
    assert read(f"<table><thead><tr><th>A<th>B</thead><tr><td>x<td>{markup}</td></tr></table>")[1] == f"| x | {said} |"


def test_commands_in_a_table_without_a_header_stay_in_their_rows():
    rows = "".join(f"<tr><td>{name}<td><pre>{name} -l</pre>" for name in ("ls", "ps", "df"))
    assert read(f"<table>{rows}</table>")[1:] == ["| ls | `ls -l` |", "| ps | `ps -l` |", "| df | `df -l` |"]


def test_layout_table_becomes_its_contents():
    assert read("<table role=presentation><tr><td><p>left</p><td><h3>Head</h3><p>right</p></table>") == [
        *("left", "", "### Head", "", "right"),
    ]


SPANS = st.integers(min_value=0, max_value=70_000)


@given(st.lists(st.lists(st.tuples(st.sampled_from(["td", "th"]), SPANS, SPANS), min_size=1, max_size=5), max_size=6))
def test_every_row_has_as_many_cells_as_the_first_and_nothing_is_lost(grid: list[list[tuple[str, int, int]]]):
    cells = [[f"w{row}x{column}" for column in range(len(line))] for row, line in enumerate(grid)]
    markup = "".join(
        "<tr>"
        + "".join(
            f"<{tag} rowspan={rows} colspan={columns}>{cells[number][column]}</{tag}>"
            for column, (tag, rows, columns) in enumerate(line)
        )
        for number, line in enumerate(grid)
    )
    lines = read(f"<table>{markup}</table>")
    text = " ".join(lines)
    assert all(cell in text for line in cells for cell in line)
    for before, line in pairwise(lines):
        if before.startswith("|") and line.startswith("|"):
            assert line.count("|") == before.count("|")
