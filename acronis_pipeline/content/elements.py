"""Moving about in a parsed page, and giving its elements other tags."""

from collections.abc import Collection, Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

HEADING_TAGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
HEADINGS = "h1, h2, h3, h4, h5, h6"
_FOLDED_HEADINGS = ", ".join(f"{around} {tag}" for around in ("details", "dt") for tag in sorted(HEADING_TAGS))


def rename(tree: LexborHTMLParser, node: LexborNode, tag: str, identity: str | None = None) -> None:
    """Give an element another tag, keeping its contents."""
    renamed = tree.create_node(tag)
    renamed.inner_html = node.inner_html or ""
    renamed.attrs["data-made"] = ""
    if identity or node.id:
        renamed.attrs["id"] = identity or node.id
    node.replace_with(renamed)


def lead_in(tree: LexborHTMLParser, node: LexborNode) -> None:
    """Make an element a bold paragraph that ends in a colon, which the splitter keeps with what follows it."""
    inner = (node.inner_html or "").strip()
    colon = "" if node.text().strip().endswith((":", "?", "!", ".")) else ":"
    node.inner_html = f"<strong>{inner}{colon}</strong>"
    rename(tree, node, "p")


def ancestors(node: LexborNode) -> Iterator[LexborNode]:
    """The elements that an element stands in, the nearest first."""
    parent = node.parent
    while parent is not None:
        yield parent
        parent = parent.parent


def following(node: LexborNode) -> Iterator[LexborNode]:
    """The elements after an element in the one that they stand in, in their order."""
    after = node.next
    while after is not None:
        if after.is_element_node:
            yield after
        after = after.next


def outermost(nodes: Collection[LexborNode]) -> list[LexborNode]:
    """Those elements that stand in none of the others, in their order."""
    identities = {node.mem_id for node in nodes}
    return [node for node in nodes if identities.isdisjoint(ancestor.mem_id for ancestor in ancestors(node))]


def inside(node: LexborNode, tags: Collection[str]) -> bool:
    """Whether an element stands in one of these tags."""
    return any(ancestor.tag in tags for ancestor in ancestors(node))


def previous_content(node: LexborNode) -> LexborNode | None:
    """The sibling before an element that is neither a comment nor white space."""
    before = node.prev
    while before is not None and (before.is_comment_node or before.is_empty_text_node):
        before = before.prev
    return before


class Levels:
    """Levels for headings made in one pass over a page: one below the heading before them.

    Headings in collapsed sections and lists of definitions do not count, nor those made here: siblings that are made
    headings by the same rule are on the same level. The tree is looked at once, when the first level is asked for; in a
    pass that gives elements other tags, innermost first, those still to come are as they were seen.
    """

    def __init__(self, body: LexborNode) -> None:
        self._body = body
        self._levels: dict[int, int] = {}

    def below(self, node: LexborNode) -> int:
        if not self._levels:
            self._look()
        return self._levels.get(node.mem_id, 2)

    def _look(self) -> None:
        folded = {heading.mem_id for heading in self._body.css(_FOLDED_HEADINGS)}
        level = 2
        for node in self._body.traverse():
            if not node.is_element_node:
                continue
            self._levels[node.mem_id] = level
            if node.tag in HEADING_TAGS and node.mem_id not in folded and "data-made" not in node.attributes:
                level = min(6, int((node.tag or "h1")[1]) + 1)
