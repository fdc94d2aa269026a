"""Tables whose rows can each be read alone: merged cells repeated, a header only where there is one."""

from selectolax.lexbor import LexborHTMLParser, LexborNode

_MAX_SPAN = 200
"""Longer spans are mistakes: `rowspan=65534` reaches the end of the table."""


def complete(tree: LexborHTMLParser, body: LexborNode) -> None:
    """Fill merged cells of data tables, and give an empty header to those that have none, in place.

    Markdown has no table without a header and would take the first row for one. Two columns without a header are names
    and values; three and more usually do begin with a row of names, whatever their markup.
    """
    for table in body.css("table"):
        _fill_merged_rows(table)
        rows = [row for row in table.css("tr") if row.css_first("td, th")]
        if len(rows) < 2 or table.css_first("thead") or rows[0].css_first("th"):
            continue
        if max(len(row.css("td")) for row in rows) == 2 and not _is_bold_row(rows[0], rows[1]):
            header = tree.create_node("tr")
            header.inner_html = "<th></th><th></th>"
            rows[0].insert_before(header)


def _fill_merged_rows(table: LexborNode) -> None:
    """Repeat a cell that spans rows in each of them."""
    if not table.css_first("[rowspan]"):
        return
    below: dict[int, tuple[int, str]] = {}  # column: rows still to fill, cell
    for row in table.css("tr"):
        filled: list[str] = []
        cells = iter([cell for cell in row.iter() if cell.tag in {"td", "th"}])
        cell = next(cells, None)
        while cell is not None or len(filled) in below:
            column = len(filled)
            if column in below:
                left, repeated = below.pop(column)
                filled.append(repeated)
                if left > 1:
                    below[column] = (left - 1, repeated)
            elif cell is not None:
                rows, columns = _span(cell, "rowspan"), _span(cell, "colspan")
                html = f"<{cell.tag}>{cell.inner_html or ''}</{cell.tag}>"
                for offset, part in enumerate([html, *[f"<{cell.tag}></{cell.tag}>"] * (columns - 1)]):
                    filled.append(part)
                    if rows > 1:
                        below[column + offset] = (rows - 1, part)
                cell = next(cells, None)
        row.inner_html = "".join(filled)


def _span(cell: LexborNode, name: str) -> int:
    value = (cell.attributes.get(name) or "1").strip()
    return min(_MAX_SPAN, max(1, int(value))) if value.isdecimal() else 1


def _is_bold_row(first: LexborNode, second: LexborNode) -> bool:
    """Whether the cells of the first row are all bold, and those of the second are not: a header by looks."""

    def bold(row: LexborNode) -> list[bool]:
        cells = [cell for cell in row.css("td") if cell.text().strip()]
        marked = [" ".join(part.text().strip() for part in cell.css("b, strong")) for cell in cells]
        return [text == cell.text().strip() for text, cell in zip(marked, cells, strict=True)]

    return bool(bold(first)) and all(bold(first)) and not all(bold(second))
