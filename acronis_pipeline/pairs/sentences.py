"""Sentences that still mean something when they stand alone."""

import re
from collections.abc import Iterator

from acronis_pipeline.pairs.blocks import Block
from acronis_pipeline.pairs.words import phrase_set, stem, words

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


def sentences(block: Block) -> Iterator[str]:
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
