"""The charset of a text, whatever was declared of it: what its bytes say is believed before what anybody says of them.

UTF-8 and UTF-16 show in the bytes. Among other charsets the declared one is believed unless words come out of it that
no language has; then what the page's language is usually written in, and a guess, are tried too.
"""

import codecs
import re
import unicodedata
from collections.abc import Iterable

from w3lib.encoding import read_bom, resolve_encoding

_WESTERN = "cp1252"
_ON_THE_WEB = (
    "cp1252 cp1250 cp1251 koi8_r shift_jis euc_jp gb18030 big5 euc_kr cp1253 cp1254 cp1255 cp1256 cp874".split()
)
"""What a guess may come to: of all charsets there are, short texts fit the Macintosh's and the mainframe's best."""
_USUAL = {
    **dict.fromkeys("cs sk".split(), ("iso8859-2", "cp1250")),  # what they read each other's letters as tells which
    **dict.fromkeys("hu pl sl hr ro sq bs".split(), ("cp1250", "iso8859-2")),
    **dict.fromkeys("ru uk be bg mk sr ky tg".split(), ("cp1251", "koi8_r", "koi8_u")),
    **dict.fromkeys("lt lv et".split(), ("cp1257",)),
    **dict.fromkeys("ar fa ur ps".split(), ("cp1256",)),
    "el": ("cp1253",),
    "tr": ("cp1254",),
    "az": ("cp1254",),
    "he": ("cp1255",),
    "vi": ("cp1258",),
    "th": ("cp874",),
    "ja": ("cp932", "euc_jp"),
    "zh": ("gb18030", "big5hkscs"),
    "ko": ("cp949",),
}
"""By language, after the fallback table of the Encoding standard and with its rivals; Western for the others."""
_DECLARED_WESTERN = frozenset({"cp1252", "iso8859-1", "iso8859-15"})
"""Servers name one of these for whatever they send."""
_EAST = frozenset({"gb18030", "big5hkscs", "big5", "cp932", "shift_jis", "euc_jp", "cp949", "euc_kr"})
_FEW = 3
"""So many characters of two bytes are valid UTF-8 by chance: one in six of GBK or EUC-KR is, when it stands alone."""
_MANY = 12
"""Bytes beyond ASCII from which a statistical guess is worth more than the Western habit."""
_MUCH_ODDER = 0.02
_GUESSED_BYTES = 100_000
_JUDGED_WORDS = 1_000
_WIDE_SAMPLE = 2_000
_STATEFUL = re.compile(rb"\x1b(?:\$[@B]|\$\)C|\([BIJ])")
_BEYOND_ASCII = re.compile(r"[^\s<>]*[^\x00-\x7f][^\s<>]*")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f]")
_WITHIN_WORDS = frozenset("’‘·‐‑–—…\u00ad\u200b\u200c\u200d`´/")


def decode(body: bytes, declared: Iterable[str | None] = (), language: str | None = None) -> str:
    """A text from its bytes. Never fails, and no byte costs more than its own character.

    A byte-order mark, UTF-16's zeros and valid UTF-8 count before any declaration. UTF-8 with bytes of another charset
    among it (a template and what was pasted into it) is read as both.

    Parameters
    ----------
    declared
        Labels from headers and the text itself, the most trusted first; unknown ones and None are passed over.
    language
        Primary subtag of the text's language, if known.
    """
    marked, mark = read_bom(body)
    body = body[len(mark or b"") :]
    if wide := (None if marked == "utf-8" else marked) or wide_charset(body):
        return body.decode(wide, "replace")
    named = [found for label in declared if label and (found := resolve_encoding(label)) and found != "utf-8"]
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return _not_quite_utf8(body, named, language)
    if body.isascii():
        return _stateful(body, text, named) if b"\x1b" in body else text
    east = next((name for name in named if name in _EAST), None)
    if east and not marked and _may_be_chance(text):
        by_chance = body.decode(east, "replace")
        return text if _oddness(by_chance) else by_chance
    return text


def wide_charset(body: bytes) -> str | None:
    """`utf-16-le` or `utf-16-be` of a text in it without a byte-order mark, by its zeros; None of others."""
    sample = body[:_WIDE_SAMPLE]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    half = max(len(sample) // 2, 1)
    if max(even, odd) < 0.3 * half or min(even, odd) > 0.05 * half or len(sample) < 4:
        return None
    name = "utf-16-be" if even > odd else "utf-16-le"
    text = sample[: len(sample) // 2 * 2].decode(name, "replace")
    narrow = [character for character in text if character < "\u0100"]
    return name if not _CONTROL.search(text) and 5 * sum(map(str.isascii, narrow)) >= 4 * len(narrow) else None


def _may_be_chance(text: str) -> bool:
    beyond = [character for character in text if character > "\x7f"]
    return len(beyond) <= _FEW and all(character < "\u0800" for character in beyond)


def _stateful(body: bytes, text: str, named: Iterable[str]) -> str:
    """ISO-2022-JP and its like: ASCII bytes whose meaning escapes change."""
    if not _STATEFUL.search(body):
        return text
    for name in [*(name for name in named if name.startswith("iso2022")), "iso2022_jp_2", "iso2022_kr"]:
        try:
            return body.decode(name)
        except UnicodeDecodeError:
            continue
    return text


def _not_quite_utf8(body: bytes, named: list[str], language: str | None) -> str:
    text = body.decode("utf-8", "replace")
    n_bad = text.count("\ufffd") - body.count(b"\xef\xbf\xbd")
    n_good = len(text) - len(text.encode("ascii", "ignore")) - n_bad
    if n_good >= n_bad:
        return body.decode(
            "utf-8", _slips_as(_USUAL.get(language or "", (_WESTERN,))[-1]) if _is_latin(text) else "replace"
        )
    best = _best(body, named, language)
    # Text beyond ASCII in single bytes is valid UTF-8 by chance nowhere: what is valid was pasted in.
    return body.decode("utf-8", _slips_as(best)) if n_good and best == _WESTERN else body.decode(best, "replace")


def _best(body: bytes, named: list[str], language: str | None) -> str:
    western = [name for name in named if name in _DECLARED_WESTERN]
    others = [name for name in named if name not in _DECLARED_WESTERN and not name.startswith("utf")]
    # A Western charset cannot even express the languages of `_USUAL`.
    candidates = [*others, *_USUAL.get(language or "", ()), *western]
    guess = [] if len(body) - len(body.translate(None, _HIGH)) < _MANY else _guesses(body)
    best, least = "", float("inf")
    for name in dict.fromkeys([*candidates, *guess, _WESTERN, *(guess or _guesses(body))]):
        oddness = _oddness(body[:_GUESSED_BYTES].decode(name, "replace"))
        if oddness < least - _MUCH_ODDER:
            best, least = name, oddness
        if not least:
            break
    return best


_HIGH = bytes(range(0x80, 0x100))


def _guesses(body: bytes) -> list[str]:
    from charset_normalizer import from_bytes  # only for the few texts that are not UTF-8

    best = from_bytes(body[:_GUESSED_BYTES], cp_isolation=list[str](_ON_THE_WEB)).best()
    return [resolve_encoding(best.encoding) or best.encoding] if best else []


def _oddness(text: str) -> float:
    """Share of the characters beyond ASCII that stand where no word has them, as when a charset is mistaken."""
    n = odd = 0
    for number, found in enumerate(_BEYOND_ASCII.finditer(text)):
        if number == _JUDGED_WORDS:
            break
        word = found[0]
        for before, character, after in zip(f" {word}", word, f"{word[1:]} ", strict=False):
            if character > "\x7f":
                n += 1
                odd += _is_odd(before, character, after)
    return odd / n if n else 0.0


def _is_odd(before: str, character: str, after: str) -> bool:
    if character >= "\u2e80" and before.isascii() and after.isascii() and before.isalpha() and after.isalpha():
        return True  # "Pr黤ung"
    if character == "\ufffd" or unicodedata.category(character) in {"Cc", "Cn", "Co"} or "｡" <= character <= "ﾟ":
        return True
    if not character.isalpha() or character in "ªº":
        return before.isalpha() and after.isalpha() and character not in _WITHIN_WORDS and not _mixes(character)
    if not before.isalpha():
        return False
    if character.isupper() and before.islower():
        return True
    if _script(before) != _script(character) and not (_mixes(before) or _mixes(character)):
        return True
    return _script(character) == 0 and before > "\x7f" and after > "\x7f" and after.isalpha()


def _script(character: str) -> int:
    """0 for Latin, else the character's block of 256: enough to see two scripts in one word."""
    code = ord(character)
    return 0 if code < 0x250 or 0x1E00 <= code < 0x1F00 else code >> 8


def _mixes(character: str) -> bool:
    """Whether it is of East Asia, where words of several scripts touch."""
    return character >= "\u2e80" or unicodedata.category(character) in {"Mn", "Mc"}


def _is_latin(text: str) -> bool:
    beyond = [character for character in text if character > "\x7f" and character.isalpha()]
    return 2 * sum(_script(character) == 0 for character in beyond) >= len(beyond)


def _slips_as(charset: str) -> str:
    """Name of an error handler that reads single bytes that are no UTF-8 in a charset of single bytes."""
    if charset in _EAST:
        return "replace"

    def read(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeDecodeError)
        slip = error.object[error.start : error.end]
        # Two and more are a character that was cut through.
        return (slip.decode(charset, "replace") if len(slip) == 1 else "\ufffd"), error.end

    name = f"acronis-pipeline-slips-{charset}"
    codecs.register_error(name, read)
    return name
