"""The main content of an HTML page, as Markdown with its headings and their anchors; clutter left behind.

The crawl compares its hash to see change and follows its links; the chunker splits its Markdown. Parsing is selectolax,
conversion html-to-markdown (Rust), which keeps every heading where trafilatura loses about a fifth of them on long
reference pages; trafilatura is the fallback for pages that do not say where their content is.
"""

from dataclasses import dataclass, replace

from selectolax.lexbor import LexborHTMLParser

from acronis_pipeline.content import boilerplate, faq, inline, labels, main_element, metadata, restructure, widgets
from acronis_pipeline.content import markdown as markdown_text
from acronis_pipeline.content.markdown import Heading, PageStart, normalised, to_markdown, with_headings
from acronis_pipeline.content.metadata import Reference, page_title
from acronis_pipeline.content.removal import Removals, Removed
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.core.text import one_line

__all__ = ["VERSION", "Content", "Heading", "PageStart", "Reference", "Removed", "extract"]

VERSION = "4"
"""Raise it when extraction changes what comes out: every page is then chunked again."""


@dataclass(frozen=True)
class Content:
    """What a page says, and the few things about it that a crawler needs.

    `markdown` has ATX headings, fenced code, pipe tables and lists; links are plain text, their targets in `links`.
    `headings` are its headings in order, `links` the absolute http(s) targets of the whole page, navigation included,
    without fragments and without `nofollow` ones. `method` says how the content was found: selector, main, article,
    container, trafilatura, body, forward (a page that only sends its reader elsewhere) or empty. `alternates` are
    addresses whose language the page names by `hreflang`, each with that language (`en`, `pt-br`, `x-default`).
    `page_starts` tell of a PDF where in `markdown` each of its pages begins. `references` are the links of the main
    content whose text says what they lead to, `removed` is what rules took out of it; neither is part of the content
    hash.
    """

    title: str
    language: str | None
    markdown: str
    headings: tuple[Heading, ...]
    canonical_url: str | None
    links: tuple[str, ...]
    robots: frozenset[str]
    method: str
    alternates: tuple[tuple[str, str], ...] = ()
    page_starts: tuple[PageStart, ...] = ()
    references: tuple[Reference, ...] = ()
    removed: tuple[Removed, ...] = ()

    @property
    def content_hash(self) -> str:
        """Changes with the title or the main content, and with nothing else on the page."""
        return digest(self.title, self.markdown)


def extract(html: str, *, url: str, selector: str | None = None) -> Content:
    """Extract the main content of one page.

    Parameters
    ----------
    html
        The page as decoded text. Malformed markup is read the way a browser reads it.
    url
        Its address, for resolving links.
    selector
        CSS selector of the main content, when the site's markup does not say (`main`, `article`, `role=main`). A page
        on which it matches nothing is read as if none had been given.

    Raises
    ------
    SettingsError
        If `selector` is not a CSS selector.
    """
    tree = LexborHTMLParser(labels.attach_shadows(html))
    page = metadata.read(tree, url)
    paged = tree.body is not None and markdown_text.mark(tree.body)
    if page.forwards:
        markdown, headings, method, found, removed = "", (), "forward", (), ()
    else:
        markdown, headings, method, found, removed = _main_content(tree, url, selector)
    markdown, starts = normalised(markdown), ()
    if paged:
        markdown, starts = markdown_text.split(markdown)
    headings = tuple(replace(heading, text=one_line(heading.text)) for heading in headings)
    return Content(
        title=one_line(page_title(page, headings, url)),
        language=page.language,
        markdown=markdown,
        headings=headings,
        canonical_url=page.canonical_url,
        links=page.links,
        robots=page.robots,
        method=method,
        alternates=page.alternates,
        page_starts=starts,
        references=tuple(
            replace(one, text=one_line(one.text), title=one_line(one.title) if one.title else None) for one in found
        ),
        removed=removed,
    )


def _main_content(
    tree: LexborHTMLParser, url: str, selector: str | None
) -> tuple[str, tuple[Heading, ...], str, tuple[Reference, ...], tuple[Removed, ...]]:
    removals = Removals()
    removals.note_left_out(tree)
    entries = faq.entries(tree)  # before scripts are removed
    if tree.body is not None:
        inline.rewrite(tree, tree.body)
    labels.to_text(tree)  # before what carries them goes
    widgets.name_panels(tree)  # before the names go as navigation
    boilerplate.remove(
        tree,
        keep=main_element.claimed(tree, selector),
        content=main_element.declared(tree, selector),
        removals=removals,
    )
    anchors = restructure.restructure(tree)
    found = main_element.find(tree, selector)
    removed = removals.within(found.nodes)
    links = metadata.references(found.nodes, metadata.base_address(tree, url))
    restructure.unlink(tree)
    markdown, headings = with_headings(to_markdown(found.html), anchors) if found.nodes else ("", ())
    method = found.method
    if found.doubtful:
        markdown, headings, method = main_element.second_opinion(tree, url, markdown, headings, method)
    markdown, headings = faq.append_invisible(markdown, headings, entries)
    return markdown, headings, method, links, removed
