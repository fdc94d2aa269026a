"""Sentences that still mean something when they stand alone."""

import re
from collections.abc import Iterator

from acronis_pipeline.pairs.blocks import Block
from acronis_pipeline.pairs.words import phrase_set, words

_ABBREVIATIONS = r"(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\betc\.)(?<!\bvs\.)(?<!\bNo\.)(?<!\bInc\.)(?<!\bLtd\.)(?<!\bapprox\.)"
_END = re.compile(rf"(?<=[.!?。！？]){_ABBREVIATIONS}(?:(?<=[。！？])|[\"')\]”’]*\s+(?=[\"'(\[“‘]?[A-Z0-9À-ÞА-Я]))")
_LEAD_WORDS = phrase_set(
    """note|notes|please note|important|warning|caution|tip|hint|info|attention|remember|however|additionally|
    in addition|furthermore|moreover|therefore|thus|hence|for example|for instance|also|as a result|in this case|
    in general|generally|typically|usually|finally|similarly|instead|otherwise|in short|alternatively|optionally|
    likewise|specifically|especially|particularly|unfortunately|as mentioned|in other words|now|then|next|first|
    basically|as such"""
)
_LEAD = re.compile(
    rf"^(?:{'|'.join(sorted(_LEAD_WORDS, reverse=True))})\s*(?:[:,!.–—-]\s*|\s+(?=that\b))+(?:that\s+)?", re.IGNORECASE
)
_DANGLING_START = re.compile(
    r"^(?:this|that|these|those|it|its|they|their|them|he|she|such|both|here|there|so|and|but|or|nor|which|who|whose|"
    r"one|another|some|others?|then|also|too|see|refer|click|follow|read|learn|the (?:following|above|below|former|"
    r"latter|same|next|previous|first|second|result|example|other|default is|reason|command above))\b",
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
_CODE_LIKE = re.compile(r"[{}<>|=\\$#~^]|--\w|\w\(\)|::|https?://|www\.|\.\.\.\s*$")
_MIN_WORDS, _MAX_WORDS = 5, 40


def sentences(block: Block) -> Iterator[str]:
    """Sentences of a block, lead-ins such as "Note:" removed."""
    source = block.definition if block.kind == "term" else block.text
    for piece in _END.split(source):
        sentence = without_lead(piece.strip())
        if sentence:
            yield sentence


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
    if _DANGLING_START.match(sentence) or _POINTING.search(sentence):
        return False
    return reads_like_prose(sentence)


def reads_like_prose(text: str) -> bool:
    """Mostly letters, with hardly any of the signs that code is made of."""
    letters = sum(character.isalpha() or character.isspace() for character in text)
    return letters >= 0.8 * len(text) and len(_CODE_LIKE.findall(text)) <= 1
