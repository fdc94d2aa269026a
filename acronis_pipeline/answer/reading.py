"""Reading what a model wrote as an answer: its citations in one form, `[1]` or `[1][3]`, and whether it found nothing.

Forms of citations: `[1, 2]`, `[[1]]`, `[^1]`, `[1](url)`, `\\[1\\]`, `【1】`, `【1:0†source】` (OpenAI), `[cite: 1]`
(Gemini), `[citation:1]` (DeepSeek), `[passage 1]`, `(passages 1 and 2)`, `<cite>1</cite>`, `<sup>1</sup>`, `¹`.
"""

import re
import unicodedata
from collections.abc import Collection

_WORD = r"(?:passages?|sources?|citations?|cite|references?|refs?|documents?|docs?|see|nos?\.?|numbers?|#|\^)"
_NUMBER = rf"(?:{_WORD}\W{{0,2}}\s*)?\d{{1,3}}(?::\d{{1,3}})?"  # 1:0 is a passage and a place in it
_BETWEEN = r"\s*(?:[,;&/|–—-]|and|und|to|\s)\s*"
_LIST = rf"{_NUMBER}(?:{_BETWEEN}{_NUMBER}){{0,20}}"
_LIST_WITH_WORD = rf"{_WORD}\W{{0,2}}\s*\d{{1,3}}(?:{_BETWEEN}{_NUMBER}){{0,20}}"
_MARK = re.compile(
    rf"\\?\[\s*\[?\s*(?P<square>{_LIST})\s*(?:†[^\]\[]{{0,80}})?\\?\](?:\s*\])?(?:\([^()\s]{{0,500}}\))?"
    rf"|[【〔［]\s*(?P<wide>{_LIST})\s*(?:†[^】〕］]{{0,80}})?[】〕］]"
    rf"|\((?P<round>{_LIST_WITH_WORD})\)"
    rf"|<(?P<tag>cite|citation|sup|ref)\b[^<>]{{0,80}}>\s*\[?(?P<inner>{_LIST})\]?\s*</(?P=tag)>"
    rf"|<passage\s+number=[\"']?(?P<passage>\d{{1,3}})[\"']?\s*/?>(?:</passage>)?"
    r"|(?P<raised>(?<=[\w.,;:!?)»”\"'])[¹²³⁴-⁹](?:[,⁻˒ ]{0,2}[¹²³⁴-⁹]){0,5}(?=[\s.,;:!?]|$))",
    re.IGNORECASE,
)
_IN_WORDS = re.compile(
    rf"\b(?:passages?|sources?)\s+(?P<list>\d{{1,3}}(?:{_BETWEEN}\d{{1,3}}){{0,5}})\b", re.IGNORECASE
)
_RANGE = re.compile(r"(\d+)(?::\d+)?\s*(?:[–—-]|to)\s*(?:\w+\W{0,2}\s*)?(\d+)")
_CODE = re.compile(r"(```.*?(?:```|\Z)|`[^`\n]*`)", re.DOTALL)
# How models say in their own words that the passages do not answer; "the trial does not include support" says another
# thing.
_GIVEN = r"(?:passages?|documentation|documents?|docs|context|texts?|sources?|excerpts?|articles?|information)"
_NOT = r"(?: ?not|n['’]t)"
_FOUND_NOTHING = re.compile(
    rf"\b(?:I|we)\b[^.]{{0,20}}?\b(?:could|can|was|am|were|are){_NOT} (?:able to )?(?:find|answer|determine|locate)"
    r"|\b(?:I|we)\b[^.]{0,20}?\bunable to (?:find|answer|determine|locate)"
    rf"|\b{_GIVEN}\b[^.]{{0,60}}?\b(?:do|does|did){_NOT}(?: \w+)? "
    r"(?:contain|mention|answer|provide|include|specify|state|say|cover|address|give|discuss|describe)"
    r"|\b(?:no|not enough|insufficient) (?:\w+ )?(?:information|mention|details?)\b"
    rf"|{_NOT} (?:\w+ )?(?:mentioned|specified|provided|covered|stated|addressed|answered|contained|found|discussed)\b"
    rf"[^.]{{0,40}}\b{_GIVEN}\b",
    re.IGNORECASE,
)
_CITE_MARKS = re.compile(r"\[cite_(?:start|end)\]|</?cite_(?:start|end)/?>", re.IGNORECASE)


def in_one_form(text: str, known: Collection[int]) -> str:
    """A text with its citations as `[1][3]`, those of passages that were not given removed; code stays as it is.

    A power (`10²`) is no citation: raised digits count after a word's last letter or a stop, and only if no other form
    is there. Where no mark cites anything, a passage named in words does, at its place.

    Parameters
    ----------
    known
        Numbers of the passages that were given.
    """
    parts = _CODE.split(text)
    marked = _rewritten(parts, _MARK, known, "")
    if cited(marked):
        return marked
    return _rewritten(_CODE.split(marked), _IN_WORDS, known, r"\g<0> ")


def cited(text: str) -> frozenset[int]:
    """Numbers that a text in one form cites."""
    return frozenset(int(number) for part in _CODE.split(text)[::2] for number in re.findall(r"\[(\d+)\]", part))


def found_nothing(text: str) -> bool:
    """Whether an answer without citations says that the passages do not answer."""
    return bool(_FOUND_NOTHING.search(text))


def _rewritten(parts: list[str], pattern: re.Pattern[str], known: Collection[int], kept: str) -> str:
    others = any(not _is_raised(mark) for part in parts[::2] for mark in _MARK.finditer(part))

    def one(mark: re.Match[str]) -> str:
        if _is_raised(mark) and (others or mark.string[mark.start() - 1 : mark.start()].isdigit()):
            return mark[0]
        listed = next(text for name, text in mark.groupdict().items() if text and name != "tag")
        listed = unicodedata.normalize("NFKC", listed)
        if any(int(end) not in known for ends in _RANGE.findall(listed) for end in ends):
            return mark[0]  # values from 0 to 100
        numbers = _numbers(listed)
        return mark.expand(kept) + "".join(f"[{number}]" for number in numbers if number in known)

    rewritten = (part if index % 2 else pattern.sub(one, _CITE_MARKS.sub("", part)) for index, part in enumerate(parts))
    return re.sub(r"[ \t]+(?=[.,;:!?](?:\s|$))", "", "".join(rewritten)).strip()


def _is_raised(mark: re.Match[str]) -> bool:
    groups = mark.groupdict()
    return bool(groups.get("raised")) or groups.get("tag") == "sup"


def _numbers(listed: str) -> list[int]:
    """Numbers of a list, ranges filled, each once."""
    listed = re.sub(r"(?<=\d):\d+", "", listed)
    found: list[int] = []
    for begin, end in _RANGE.findall(listed):
        found += range(int(begin), int(end) + 1)
    found += [int(number) for number in re.findall(r"\d+", listed)]
    return sorted(dict.fromkeys(found))
