"""Tables as Markdown can say them: one row of names for the columns, and rows that can each be read alone.

Several header rows become one ("Windows Disk"), merged cells are repeated in each place that they cover, a header that
comes again begins a table of its own, and what a cell holds (lists, commands, tables) stands in its line. Tables that
only lay out a page become their contents, tables of code beside line numbers the code.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from selectolax.lexbor import LexborHTMLParser, LexborNode

from acronis_pipeline.content.elements import HEADINGS, ancestors

_CELLS = frozenset({"td", "th"})
_SECTIONS = frozenset({"thead", "tbody", "tfoot"})
_MAX_SPAN = 200
"""Longer spans are mistakes: `rowspan=65534` reaches the end of the table."""
_MAX_REPEATED_CHARS = 200
"""A merged cell is a value, not a page: a longer one stands in its first place only."""
_MAX_CELL_WORDS = 60
"""In the cells of a table without any header that holds data nevertheless."""
_MAX_GROUP_CHARS = 60
_PAGE_MARK = re.compile("[\U000f0000-\U000fffff]")
_NUMBERS = re.compile(r"\s*\d{1,6}(?:\s+\d{1,6})*\s*")
_BLOCKS = "p, div, section, ul, ol, blockquote, figure, figcaption, details, summary, h1, h2, h3, h4, h5, h6"


@dataclass(frozen=True)
class _Cell:
    html: str
    text: str
    is_header: bool
    is_bold: bool
    column: int
    spans_all: bool = False


_EMPTY = _Cell("", "", is_header=False, is_bold=False, column=-1)
_Row = Sequence[_Cell]


def rewrite(tree: LexborHTMLParser, body: LexborNode) -> None:
    """Rewrite every table of the body, in place."""
    tables = body.css("table")
    laid_out = {table.mem_id for table in tables if _is_layout(table)}
    for table in reversed(tables):  # innermost first
        holder = next((node for node in ancestors(table) if node.tag == "table"), None)
        if _is_numbered_code(table):
            _to_code(tree, table)
        elif holder is not None and holder.mem_id not in laid_out:
            _to_line(table)
        elif table.mem_id in laid_out:
            _to_contents(table)
        else:
            _complete(tree, table)


def _is_layout(table: LexborNode) -> bool:
    box = table.parent.attributes.get("class") or "" if table.parent is not None else ""
    if (table.attributes.get("role") or "") in {"presentation", "none"} or "admonitionblock" in box.split():
        return True
    rows = list(_rows(table))
    widths = [len(_cells(row)) for row in rows]
    if sum(widths) <= 1 or table.css_first("h1, h2"):
        return True
    if any(cell.tag == "th" for row in rows for cell in _cells(row)) or table.css_first("thead, caption"):
        return False
    if not (table.css_first("h3, pre") or len(table.css("table")) > 1):
        return False
    regular = len(rows) >= 3 and min(widths) == max(widths) >= 2 and table.css_first("h3") is None
    short = all(len(cell.text(separator=" ").split()) <= _MAX_CELL_WORDS for row in rows for cell in _cells(row))
    return not (regular and short)


def _is_numbered_code(table: LexborNode) -> bool:
    """Whether each row is a line's number (or all of them) and code; the numbers may have gone already."""
    rows = [_cells(row) for row in _rows(table)]
    if not rows or any(len(row) != 2 for row in rows):
        return False
    if len(rows) == 1:
        return bool(_NUMBERS.fullmatch(rows[0][0].text())) and rows[0][1].css_first("pre, code") is not None
    return all(
        (number.attributes.get("data-line-number") or number.text()).strip() == str(first)
        for first, (number, _) in enumerate(rows, start=_first_number(rows[0][0]))
    ) and all("code" in (code.attributes.get("class") or "") or code.css_first("code, pre") for _, code in rows)


def _first_number(cell: LexborNode) -> int:
    said = (cell.attributes.get("data-line-number") or cell.text()).strip()
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 7 else -1


def _to_code(tree: LexborHTMLParser, table: LexborNode) -> None:
    lines = "\n".join(_cells(row)[1].text().strip("\n") for row in _rows(table))
    if any(node.tag in {"pre", "code"} for node in ancestors(table)):
        table.replace_with(lines)
        return
    code = tree.create_node("pre")
    code.inner_html = f"<code>{escape(lines)}</code>"
    table.replace_with(code)


def _to_contents(table: LexborNode) -> None:
    for row in list(_rows(table)):
        for cell in _cells(row):
            cell.insert_before("\n")
    for tag in ("caption", "thead", "tbody", "tfoot", "tr", "td", "th", "colgroup", "col"):
        for part in table.css(tag):
            if not any(node.tag == "table" and node.mem_id != table.mem_id for node in _up_to(part, table)):
                part.unwrap() if tag not in {"colgroup", "col"} else part.decompose()
    table.unwrap()


def _up_to(node: LexborNode, end: LexborNode) -> Iterator[LexborNode]:
    for ancestor in ancestors(node):
        if ancestor.mem_id == end.mem_id:
            return
        yield ancestor


def _to_line(table: LexborNode) -> None:
    """A table within a cell: "name: value, value; name: value"."""
    rows = [[cell.text for cell in row if cell.column >= 0] for row in _grid(table)]
    lines = [": ".join([row[0], ", ".join(row[1:])]) if len(row) > 1 else "".join(row) for row in rows]
    table.replace_with(" " + "; ".join(line for line in lines if line.strip(" :,")) + " ")


def _complete(tree: LexborHTMLParser, table: LexborNode) -> None:
    """A data table with one row of names; an empty one where there are none.

    Markdown has no table without a header and would take the first row for one. Two columns without a header are names
    and values; three and more usually do begin with a row of names, whatever their markup.
    """
    n_in_head = sum(1 for section, _ in _sections(table) if section == "thead")
    labels = _column_labels(table)
    grid = _grid(table)
    if not grid:
        table.decompose()
        return
    caption = table.css_first("caption")
    titles = [caption.inner_html or ""] if caption is not None and caption.text().strip() else []
    while n_in_head == 0 and len(grid) > 2 and grid[0][0].spans_all and len(grid[0]) > 1:
        titles.append(grid.pop(0)[0].html)  # a title that stands in the table
    n_header = max(n_in_head, _n_header_rows(grid))
    header, body = grid[:n_header], grid[n_header:]
    titles += [row[0].html for row in header if row[0].spans_all and len(row) > 1 and n_header > 1]
    header = [row for row in header if not (row[0].spans_all and len(row) > 1 and n_header > 1)]
    if not body and len(header) > 1 and not n_in_head:
        header, body = header[:1], header[1:]
    names = _names(header, len(grid[0]))
    if not header and labels and len(labels) == len(grid[0]):
        names = labels
    parts = [f"<p><em>{title}</em></p>" for title in titles if title.strip()]
    parts += [_as_html(names, rows) for names, rows in _at_headers(names, body)]
    holder = tree.create_node("div")
    holder.inner_html = "".join(parts)
    if table.id:
        holder.attrs["id"] = table.id
    table.replace_with(holder)


def _n_header_rows(grid: Sequence[_Row]) -> int:
    """Rows of names at the beginning of a table that does not say which they are."""
    count = 0
    for row in grid:
        if not _is_header(row) or (row[0].spans_all and len(row) > 1):
            break
        count += 1
    if count or len(grid) < 2:
        return min(count, len(grid))
    if any(cell.is_header for cell in grid[0]):  # names of rows only
        return 0
    if _is_bold(grid[0]) and not _is_bold(grid[1]):
        return 1
    return 1 if len(grid[0]) > 2 and not all(row[0].is_bold for row in grid[1:]) else 0


def _is_header(row: _Row) -> bool:
    """Whether every cell with a word, and all but one, is a header cell: the corner may be an empty cell."""
    said = [cell for cell in row if cell.text]
    return bool(said) and all(cell.is_header for cell in said) and sum(not cell.is_header for cell in row) <= 1


def _is_bold(row: _Row) -> bool:
    said = [cell for cell in row if cell.text]
    return bool(said) and all(cell.is_bold for cell in said)


def _names(header: Sequence[_Row], n_columns: int) -> list[str]:
    names: list[str] = []
    for column in range(n_columns):
        said: list[str] = []
        for row in header:
            if row[column].text and row[column].text not in said:
                said.append(row[column].text)
        # One row keeps its markup; of several the words count.
        names.append(header[0][column].html if len(header) == 1 else escape(" ".join(said)))
    return names


def _at_headers(names: list[str], body: Sequence[_Row]) -> Iterator[tuple[list[str], list[_Row]]]:
    """The rows, parted where a row of names comes again; one that says the same is left out."""
    rows: list[_Row] = []
    for row in _with_groups(body):
        again = len(row) > 1 and _is_header(row) and not row[0].spans_all and sum(bool(cell.text) for cell in row) > 1
        if not again:
            rows.append(row)
        elif [cell.html for cell in row] != names:
            if rows:
                yield names, rows
            names, rows = [cell.html for cell in row], []
    yield names, rows


def _with_groups(body: Sequence[_Row]) -> Iterator[_Row]:
    """Rows with the name of their group, which stood in a row of its own above them: a table may be cut between."""
    group, named = "", False
    for number, row in enumerate(body):
        whole = row[0].spans_all and len(row) > 1
        if whole and (row[0].is_header or row[0].is_bold) and len(row[0].text) <= _MAX_GROUP_CHARS:
            group, named = row[0].text, number + 1 < len(body) and not body[number + 1][0].spans_all
            if not named:
                yield row
        elif whole or not named or not row[0].text:
            yield row
        else:
            first = row[0]
            html = f"{escape(group)}: {first.html}"
            yield [_Cell(html, f"{group}: {first.text}", first.is_header, first.is_bold, first.column), *row[1:]]


def _as_html(names: Sequence[str], rows: Sequence[_Row]) -> str:
    kept = [n for n, name in enumerate(names) if name or any(row[n].text for row in rows)] or [0]
    head = "".join(f"<th>{names[n]}</th>" for n in kept)
    lines = ["".join(f"<td>{row[n].html}</td>" for n in kept) for row in rows if any(cell.text for cell in row)]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _column_labels(table: LexborNode) -> list[str]:
    """Names that the cells themselves carry, for narrow screens (`data-label`)."""
    first = next((_cells(row) for _, row in _sections(table)), [])
    labels = [(cell.attributes.get("data-label") or cell.attributes.get("data-title") or "").strip() for cell in first]
    return [escape(label) for label in labels] if labels and all(labels) else []


def _grid(table: LexborNode) -> list[list[_Cell]]:
    """Rows of cells, merged ones in each of their places; columns that no cell begins in are left out."""
    below: dict[int, tuple[int, _Cell]] = {}  # column: rows still to fill, cell
    grid: list[dict[int, _Cell]] = []
    section_before = ""
    for section, row in _sections(table):
        below = below if section == section_before else {}
        section_before = section
        filled: dict[int, _Cell] = {column: cell for column, (_, cell) in below.items()}
        below = {column: (left - 1, cell) for column, (left, cell) in below.items() if left > 1}
        column = 0
        for node in _cells(row):
            while column in filled:
                column += 1
            rows, columns = _span(node, "rowspan"), _span(node, "colspan")
            cell = _cell(node, column)
            again = cell if len(cell.text) <= _MAX_REPEATED_CHARS else _EMPTY
            again = _Cell(_PAGE_MARK.sub("", again.html), again.text, again.is_header, again.is_bold, -1)
            for offset in range(columns):
                filled[column + offset] = again if offset else cell
                if rows > 1:
                    below[column + offset] = (rows - 1, again)
            column += columns
        grid.append(filled)
    begun = sorted({cell.column for row in grid for cell in row.values() if cell.column >= 0})
    return [_spread(row, begun) for row in grid if row]


def _spread(row: dict[int, _Cell], columns: Sequence[int]) -> list[_Cell]:
    cells = [row.get(column, _EMPTY) for column in columns]
    own = [cell for cell in cells if cell.text]
    # One cell over the whole width says a thing once.
    merged = len(cells) > 1 and cells[0].column >= 0 and all(cell.column < 0 for cell in cells[1:])
    if merged and len(own) == len(cells) and len({cell.text for cell in cells}) == 1:
        first = cells[0]
        whole = _Cell(first.html, first.text, first.is_header, first.is_bold, first.column, spans_all=True)
        return [whole, *[_EMPTY] * (len(cells) - 1)]
    return cells


def _cell(node: LexborNode, column: int) -> _Cell:
    html = _inline(node)
    text = " ".join(node.text(separator=" ").split()) if node.css_first("*") else " ".join(node.text().split())
    bold = " ".join(part.text().strip() for part in node.css("b, strong"))
    is_bold = bool(text) and " ".join(bold.split()) == " ".join(node.text().split())
    return _Cell(html, _PAGE_MARK.sub("", text), node.tag == "th", is_bold, column)


def _inline(cell: LexborNode) -> str:
    """What a cell holds, in one line: items set apart by semicolons, a command a line."""
    for code in cell.css("pre"):
        lines = [line.strip() for line in code.text().split("\n") if line.strip()]
        block = "".join(f" <code>{escape(line)}</code>" for line in lines)
        _replace_by_html(code, block)
    for items in cell.css("ul, ol"):
        for item in items.css("li"):
            after = item.next
            while after is not None and not after.is_element_node:
                after = after.next
            said = item.text().rstrip()
            if after is not None and said and said[-1] not in ".;:,!?":
                item.insert_child(";")
            item.insert_before(" ")
            item.insert_after(" ")
    for item in cell.css("li"):
        item.unwrap()
    for heading in cell.css(HEADINGS):
        heading.insert_before(" ")
        heading.insert_after(" ")
    for block in cell.css(_BLOCKS + ", br, hr"):
        block.insert_before(" ")
        if block.tag in {"br", "hr"}:
            block.decompose()
        else:
            block.insert_after(" ")
            block.unwrap()
    return (cell.inner_html or "").strip()


def _replace_by_html(node: LexborNode, html: str) -> None:
    fragment = LexborHTMLParser(f"<span>{html}</span>").css_first("span")
    if fragment is not None:
        node.replace_with(fragment)


def _span(cell: LexborNode, name: str) -> int:
    value = (cell.attributes.get(name) or "1").strip()
    if not (value.isascii() and value.isdecimal()):
        return 1
    # Zero means "to the end".
    return min(_MAX_SPAN, int(value[:6]) or (_MAX_SPAN if name == "rowspan" else 1))


def _sections(table: LexborNode) -> Iterator[tuple[str, LexborNode]]:
    """(section, row) in the order in which a browser shows them: the foot last, wherever it is written."""
    foot: list[tuple[str, LexborNode]] = []
    for part in table.iter():
        if part.tag == "tr":
            yield "tbody", part
        elif part.tag in _SECTIONS:
            found = [(part.tag, row) for row in part.iter() if row.tag == "tr"]
            if part.tag == "tfoot":
                foot += found
            else:
                yield from found
    yield from foot


def _rows(table: LexborNode) -> Iterator[LexborNode]:
    return (row for _, row in _sections(table))


def _cells(row: LexborNode) -> list[LexborNode]:
    return [cell for cell in row.iter() if cell.tag in _CELLS]
