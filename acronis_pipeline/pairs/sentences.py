"""The parts of a chunk (Markdown) as plain text, and which of its sentences mean something when they stand alone.

Parts are headings, paragraphs, list items and table rows.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

from acronis_pipeline.content import commonmark
from acronis_pipeline.pairs.words import phrase_set, stem, words

_InText = Literal["heading", "paragraph", "item", "step"]
_SPACE = re.compile(r"\s+")
_FOOTNOTE = re.compile(r"\[(?:\d{1,3}|\^\w+)\]")
_ADMONITION = re.compile(r"^\[!\w+\]\s*")
_DEFINITION = re.compile(r"\n\s*:\s+")
_ABBREVIATIONS = r"(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\betc\.)(?<!\bvs\.)(?<!\bNo\.)(?<!\bInc\.)(?<!\bLtd\.)(?<!\bapprox\.)"
_END = re.compile(rf"(?<=[.!?。！？]){_ABBREVIATIONS}(?:(?<=[。！？])|[\"')\]”’]*\s+(?=[\"'(\[“‘]?[A-Z0-9À-ÞА-Я]))")
_LEAD_WORDS = phrase_set(
    """note|notes|please note|important|warning|caution|tip|hint|info|attention|remember|however|additionally|
    in addition|furthermore|moreover|also|in general|generally|typically|usually|in short|optionally|specifically|
    especially|particularly|unfortunately|as mentioned|now|basically"""
)
_LEAD = re.compile(
    rf"^(?:{'|'.join(sorted(_LEAD_WORDS, reverse=True))})\s*(?:[:,!.–—-]\s*|\s+(?=that\b))+(?:that\s+)?", re.IGNORECASE
)
_DANGLING_START = re.compile(
    r"^(?:this|that|these|those|it|its|they|their|them|he|she|such|both|here|there|so|and|but|or|nor|which|who|whose|"
    r"for example|for instance|otherwise|instead|alternatively|likewise|similarly|therefore|thus|hence|as a result|"
    r"in this case|as such|in other words|finally|next|first|one|another|some|others?|then|also|too|see|refer|click|"
    r"follow|read|learn|the (?:following|above|below|former|latter|same|next|previous|first|second|result|"
    r"example|other|default is|reason|command above))\b",
    re.IGNORECASE,
)
_POINTING = re.compile(
    r"\b(?:(?:as|shown|described|listed|mentioned|see|noted|discussed|explained) (?:above|below|earlier|later|here)"
    r"|(?:above|below|following|preceding) (?:example|command|table|figure|steps?|section|list|image|screenshot|diagram"
    r"|code|snippet|configuration|yaml|instructions?)"
    r"|this (?:page|section|topic|article|document|guide|chapter|example|table|tutorial|site|documentation|case|way"
    r"|means)"
    r"|click here|learn more|read more|see also|for more (?:information|details)|all rights reserved|copyright"
    r"|cookies?\b.*\b(?:accept|consent|policy)|privacy policy|terms of (?:use|service)"
    r"|was this (?:page|article) helpful"
    r"|last updated|edit this page|table of contents|back to top|sample (?:site|page|website))\b",
    re.IGNORECASE,
)
_SENDS_ELSEWHERE = re.compile(
    r"(?:^|[,;:(]\s*|\bplease |\b(?:and|should|can|must|also) )(?:refer to|see|consult|visit)\b"
    r"|\b(?:later|earlier|next|previous|other|separate) (?:example|section|page|chapter|article|topic|guide)s?\b",
    re.IGNORECASE,
)
_CODE_LIKE = re.compile(r"[{}<>|=\\$#~^]|--\w|\w\(\)|::|https?://|www\.|\.\.\.\s*$")
_CANNOT = (
    r"\b(?:can ?not|can['’]t|could not|may not|must not|(?:not|never|no longer|im)\s?possible to|no way to|unable to)"
)
_OPENING = 3
"""Sentences at the start of a text that tell what it is about."""
_MIN_WORDS, _MAX_WORDS = 5, 40
_MIN_OWN_WORDS = 8
"""Fewer words beside a pointer to another page answer nothing."""


@dataclass(frozen=True)
class TextBlock:
    """One part of a text, its inline markup removed.

    `marked` holds the spans that were set as code or in quotation marks: names of things, and messages.
    """

    kind: Literal["heading", "paragraph", "item", "step", "term"]
    text: str
    marked: tuple[str, ...] = ()
    definition: str = ""
    """What a `term` is explained as."""
    all_bold: bool = False
    """A paragraph set in bold altogether: often a question or a heading in disguise."""


@dataclass(frozen=True)
class TableRow:
    """A table row with its header; cells are plain text, `header` may be empty strings."""

    header: tuple[str, ...]
    cells: tuple[str, ...]
    marked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parts:
    """Everything a text is made of; code blocks are left out, nobody asks for them in their own words."""

    blocks: tuple[TextBlock, ...]
    rows: tuple[TableRow, ...]


def parse(text: str) -> Parts:
    """Parts of a Markdown text; plain text is all paragraphs."""
    tokens = _parser().parse(text)
    return Parts(tuple(_blocks(tokens)), tuple(_rows(tokens)))


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    # Indented code is off: a chunk that starts inside a list keeps the list's indentation.
    return commonmark.parser().disable(["code", "strikethrough"])


def _blocks(tokens: list[Token]) -> Iterator[TextBlock]:
    lists: list[_InText] = []
    in_table = in_heading = False
    for token in tokens:
        if token.type in {"bullet_list_open", "ordered_list_open"}:
            lists.append("step" if token.type.startswith("ordered") else "item")
        elif token.type in {"bullet_list_close", "ordered_list_close"}:
            lists.pop()
        elif token.type in {"table_open", "table_close"}:
            in_table = token.type == "table_open"
        elif token.type in {"heading_open", "heading_close"}:
            in_heading = token.type == "heading_open"
        elif token.type == "inline" and not in_table:
            yield from _inline_blocks(token, "heading" if in_heading else lists[-1] if lists else "paragraph")


def _inline_blocks(token: Token, kind: _InText) -> Iterator[TextBlock]:
    text, marked = _plain(token, line_break="\n")
    head, *definitions = _DEFINITION.split(text)
    if definitions:
        yield TextBlock("term", _squeeze(head.rsplit("\n", 1)[-1]), marked, _squeeze(" ".join(definitions)))
        return
    text = _squeeze(text)
    if text:
        yield TextBlock(kind, text, marked, all_bold=_is_all_bold(token))


def _rows(tokens: list[Token]) -> Iterator[TableRow]:
    header: list[str] = []
    cells: list[str] = []
    marked: list[str] = []
    in_header = in_table = False
    for token in tokens:
        if token.type == "table_open":
            in_table, header = True, []
        elif token.type == "table_close":
            in_table = False
        elif token.type in {"thead_open", "thead_close"}:
            in_header = token.type == "thead_open"
        elif token.type == "tr_open":
            cells, marked = [], []
        elif token.type == "inline" and in_table:
            text, spans = _plain(token)
            cells.append(_squeeze(text))
            marked += spans
        elif token.type == "tr_close" and in_header:
            header = cells
        elif token.type == "tr_close":
            width = len(cells)
            yield TableRow(tuple((header + [""] * width)[:width]), tuple(cells), tuple(marked))


def _plain(token: Token, line_break: str = " ") -> tuple[str, tuple[str, ...]]:
    """Text of an inline token without markup, and its code spans."""
    pieces: list[str] = []
    marked: list[str] = []
    for child in token.children or []:
        if child.type == "text":
            pieces.append(child.content)
        elif child.type == "code_inline":
            pieces.append(child.content)
            marked.append(_squeeze(child.content))
        elif child.type in {"softbreak", "hardbreak"}:
            pieces.append(line_break)
        elif child.type == "html_inline":
            pieces.append(" ")
    text = _FOOTNOTE.sub("", _ADMONITION.sub("", "".join(pieces)))
    marked += [_squeeze(quoted) for quoted in re.findall(r"[\"“„«]([^\"“”„«»]{4,160})[\"”“»]", text)]
    return text, tuple(marked)


def _is_all_bold(token: Token) -> bool:
    children = [child for child in token.children or [] if child.content.strip() or child.nesting]
    return (
        len(children) > 2
        and children[0].type == "strong_open"
        and children[-1].type == "strong_close"
        and sum(child.type == "strong_open" for child in children) == 1
    )


def _squeeze(text: str) -> str:
    return _SPACE.sub(" ", text).strip()


def sentences(block: TextBlock) -> Iterator[str]:
    """Sentences of a block, lead-ins such as "Note:" removed."""
    source = block.definition if block.kind == "term" else block.text
    for piece in _END.split(source):
        sentence = without_lead(piece.strip())
        if sentence:
            yield sentence


def pieces(text: str) -> list[str]:
    """The sentences of a text, and its lines where they are none, as they stand."""
    return [piece for line in text.splitlines() for piece in _END.split(line) if piece.strip()]


def without_lead(sentence: str) -> str:
    """The sentence without "Note that", "However," and the like."""
    rest = _LEAD.sub("", sentence, count=1)
    return rest[:1].upper() + rest[1:] if rest != sentence else sentence


def stands_alone(sentence: str) -> bool:
    """Whether a sentence is whole and speaks of what it names.

    False for fragments, code, site boilerplate, and sentences that lean on what stands around them ("It also …",
    "as shown below"): a query made from one would ask for nothing in particular.
    """
    if not _MIN_WORDS <= len(words(sentence)) <= _MAX_WORDS:
        return False
    if sentence.startswith(("-", "*", "/", "%")) or not sentence.endswith((".", "!", "。", "！", ".)", '."', ".”")):
        return False
    if _DANGLING_START.match(sentence) or _POINTING.search(sentence) or sends_elsewhere(sentence):
        return False
    return reads_like_prose(sentence)


def sends_elsewhere(sentence: str) -> bool:
    """Whether a sentence leaves the answer to another page: "To set up credentials, please refer to …"."""
    return bool(_SENDS_ELSEWHERE.search(sentence))


def is_left_to_others(text: str) -> bool:
    """Whether a text says hardly more than where to read on."""
    told = [sentence for sentence in _END.split(text) if not sends_elsewhere(sentence)]
    return len(told) < len(_END.split(text)) and len(words(" ".join(told))) < _MIN_OWN_WORDS


def says_no_to(instruction: str, text: str) -> bool:
    """Whether a text begins by saying that what an instruction names cannot be done ("Changing it", "be changed")."""
    verb = re.escape(stem(instruction.split(" ", 1)[0].lower()))
    opening = " ".join(_END.split(text)[:_OPENING])
    return bool(re.search(rf"{_CANNOT} (?:\w+ )?(?:be )?{verb}", opening, re.IGNORECASE))


def is_whole(sentence: str) -> bool:
    """Whether a sentence of any language begins and ends as one: a line before a list or listing ends in a colon."""
    return (
        sentence[:1].isalnum()
        and not sentence[:1].islower()
        and sentence.rstrip("\"')]”’»*_").endswith((".", "!", "?", "。", "！", "？", "…"))
    )


def reads_like_prose(text: str) -> bool:
    """Mostly letters, with hardly any of the signs that code is made of."""
    letters = sum(character.isalpha() or character.isspace() for character in text)
    return letters >= 0.8 * len(text) and len(_CODE_LIKE.findall(text)) <= 1
