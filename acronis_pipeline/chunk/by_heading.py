"""Strategy `headings`: a passage never leaves its section, and carries the headings that it stands under.

Sections too small to stand alone join the one above them; sections too large are packed block by block.
"""

import re
from collections.abc import Sequence

from acronis_pipeline.chunk.blocks import Block, Section, sections
from acronis_pipeline.chunk.packing import Budget, Counter, Draft, breadcrumb, overlapped, pack
from acronis_pipeline.content import Content
from acronis_pipeline.core.settings import ChunkSettings

_WORD = re.compile(r"\w")
_STATEMENT_WORDS = 6


def drafts(markdown: str, content: Content, options: ChunkSettings, counter: Counter) -> list[Draft]:
    """Passages of a page in order; `markdown` is that of `content`, with or without the marks of page starts."""
    found: list[Draft] = []
    for section in _with_tiny_subsections(sections(markdown, content.headings, content.title), options, counter):
        prefix = breadcrumb(content.title, section.path, options.max_tokens // 2, counter)
        whole = Budget(prefix, options.max_tokens, options.min_tokens, counter)
        cut = Budget(prefix, options.max_tokens - options.overlap_tokens, options.min_tokens, counter)
        texts = pack(section.blocks, whole)
        if len(texts) > 1 and options.overlap_tokens:
            texts = overlapped(pack(section.blocks, cut), options.overlap_tokens, whole)
        found += [Draft(section.path, section.anchor, prefix, text) for text in texts if _WORD.search(text)]
    return found


def _with_tiny_subsections(found: Sequence[Section], options: ChunkSettings, counter: Counter) -> list[Section]:
    """Sections with text, each with the subsections too small to stand alone folded in, heading line and all.

    Sections of level 2 are what a reader finds a page by, so they are never folded; neither is anything that follows a
    larger subsection, since that would change the order.
    """
    kept: list[Section] = []
    for section, following in zip(found, [*found[1:], None], strict=True):
        leaf = following is None or following.level <= section.level
        if leaf and not section.blocks and section.path and len(section.path[-1].split()) >= _STATEMENT_WORDS:
            # A heading with nothing below it that is a sentence is text in large print.
            kept.append(Section(section.level, section.path[:-1], section.anchor, (_paragraph(section.path[-1]),)))
            continue
        host = kept[-1] if kept else None
        if host is not None and leaf and _may_join(section, host):
            folded = _as_block(section)
            if section.blocks and counter.count(folded.text) < min(options.min_tokens, options.max_tokens // 2):
                kept[-1] = Section(host.level, host.path, host.anchor, (*host.blocks, folded))
                continue
        kept.append(section)
    return [section for section in kept if section.blocks]


def _may_join(section: Section, host: Section) -> bool:
    """A question stays with its answer only: it is what someone will ask."""
    return (
        section.level >= 3
        and host.level < section.level
        and section.path[:-1] == host.path
        and not section.path[-1].endswith("?")
    )


def _as_block(section: Section) -> Block:
    body = "\n\n".join(block.text for block in section.blocks)
    return _paragraph(f"{'#' * section.level} {section.path[-1]}\n\n{body}")


def _paragraph(text: str) -> Block:
    return Block("paragraph", (text,))
