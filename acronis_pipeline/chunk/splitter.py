"""Splitting one page into passages: along its headings, within a token budget, nothing lost.

The budget is counted on what is embedded, "Title > Heading > Sub" included, with the embedding model's own tokenizer,
because an encoder truncates in silence.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from acronis_pipeline.chunk.blocks import Block, Section, sections
from acronis_pipeline.chunk.packing import Budget, Counter, pack
from acronis_pipeline.content import Content
from acronis_pipeline.fingerprint import digest
from acronis_pipeline.settings import ChunkSettings

_WORD = re.compile(r"\w")
_SEPARATOR = " > "
_STATEMENT_WORDS = 6


@dataclass(frozen=True)
class PageChunk:
    """One passage of a page. `text` is what is shown, `passage` what is embedded, `n_tokens` are the passage's."""

    chunk_id: str
    url: str
    title: str
    heading_path: tuple[str, ...]
    anchor: str | None
    ordinal: int
    text: str
    passage: str
    n_tokens: int


def chunk_page(content: Content, url: str, options: ChunkSettings, counter: Counter) -> list[PageChunk]:
    """Passages of one page, in reading order.

    The same content gives the same chunk ids; a text that stands twice under one heading gets an id of its own.
    """
    drafts: list[tuple[Section, str, str]] = []
    for section in _with_tiny_subsections(
        sections(content.markdown, content.headings, content.title), options, counter
    ):
        prefix = _prefix(content.title, section.path, options.max_tokens // 2, counter)
        texts = pack(section.blocks, Budget(prefix, options.max_tokens, options.min_tokens, counter))
        drafts += [(section, text, f"{prefix}\n\n{text}" if prefix else text) for text in texts if _WORD.search(text)]
    n_tokens = counter.count_many([passage for _, _, passage in drafts])
    ids = _identities(url, [(section.path, text) for section, text, _ in drafts])
    return [
        PageChunk(chunk_id, url, content.title, section.path, section.anchor, ordinal, text, passage, tokens)
        for ordinal, (chunk_id, (section, text, passage), tokens) in enumerate(zip(ids, drafts, n_tokens, strict=True))
    ]


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
            section = Section(section.level, section.path[:-1], section.anchor, (_paragraph(section.path[-1]),))
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


def _prefix(title: str, path: Sequence[str], max_tokens: int, counter: Counter) -> str:
    """ "Title > Heading > Sub"; when too long, without its middle, then with its longest name cut."""
    names = [name for name in (title, *path) if name]
    while len(names) > 2 and counter.count(_SEPARATOR.join(names)) > max_tokens:
        del names[1]
    while names and counter.count(_SEPARATOR.join(names)) > max_tokens:
        longest = max(range(len(names)), key=lambda index: len(names[index]))
        cut = names[longest][: len(names[longest]) * 3 // 4]
        names[longest] = cut.rsplit(" ", 1)[0] if " " in cut else cut
        names = [name for name in names if name.strip()]
    return _SEPARATOR.join(names)


def _identities(url: str, texts: Sequence[tuple[tuple[str, ...], str]]) -> list[str]:
    """20 hex characters each: of the address, the headings and the text, so that moving a section keeps its ids."""
    seen: dict[tuple[tuple[str, ...], str], int] = {}
    ids: list[str] = []
    for path, text in texts:
        repeat = seen[path, text] = seen.get((path, text), 0) + 1
        salt = [str(repeat)] if repeat > 1 else []
        ids.append(digest(url, _SEPARATOR.join(path), text, *salt)[:20])
    return ids
