"""What markup may make of a page: Markdown of a size that is linear in the page's.

Two things of HTML grow beyond that: a list in a list is indented once more on each of its lines, and a cell that spans
rows and columns is written into each of them. Beyond what people write, the words stay and the structure goes.
"""

from selectolax.lexbor import LexborNode

_MAX_DEPTH = 16
"""Lists and quotations within one another; the deepest of a manual's tables of contents have seven."""
_MAX_GROWTH = 10
_ALWAYS_CHARS = 50_000
"""A table may grow to this, or to ten times the size of its text."""
_MAX_COLUMNS, _MAX_ROWS = 1_000, 65_534
"""As browsers read `colspan` and `rowspan`."""


def keep(body: LexborNode) -> None:
    """Rewrite what would grow, in place."""
    _flatten(body)
    for table in body.css("table"):
        _without_large_spans(table)


def _flatten(body: LexborNode) -> None:
    """Lists and quotations that stand too deep are text of the last one that does not."""
    depths: dict[int, int] = {}
    deep: list[LexborNode] = []
    for node in body.css("ul, ol, dl, blockquote, li, dd"):
        parent = node.parent
        while parent is not None and parent.mem_id not in depths and parent.mem_id != body.mem_id:
            parent = parent.parent
        above = depths.get(parent.mem_id, 0) if parent is not None else 0
        depths[node.mem_id] = above + (node.tag not in {"li", "dd"})
        if depths[node.mem_id] > _MAX_DEPTH:
            deep.append(node)
    for node in reversed(deep):
        node.insert_before(" ")
        node.unwrap()


def _without_large_spans(table: LexborNode) -> None:
    spanning = table.css("[rowspan], [colspan]")
    if not spanning:
        return
    n_rows = len(table.css("tr"))
    written = sum(
        min(_span(cell, "rowspan", _MAX_ROWS), n_rows)
        * (_span(cell, "colspan", _MAX_COLUMNS) + len(cell.text(separator=" ")))
        for cell in spanning
    )
    if written > max(_ALWAYS_CHARS, _MAX_GROWTH * len(table.text(separator=" "))):
        for cell in spanning:
            for name in ("rowspan", "colspan"):
                if name in cell.attributes:
                    del cell.attrs[name]


def _span(cell: LexborNode, name: str, most: int) -> int:
    value = (cell.attributes.get(name) or "1").strip()
    return min(most, max(1, int(value))) if value.isascii() and value.isdecimal() and len(value) < 9 else 1
