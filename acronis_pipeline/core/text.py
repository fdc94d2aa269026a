"""One spelling for text: of pages, titles, headings, questions and replies, whoever wrote them.

What the eye cannot tell apart compares equal, and what it does not see is not there.
"""

import re
import unicodedata

# Controls but tab and line feed; marks that turn the direction of what follows; tag characters, which only a model
# reads; lone halves of a character (JSON's "\ud800"), which no file can hold; code points that are no characters.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\u061c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
_LINE_ENDS = re.compile("\r\n?|[\x85\u2028\u2029\x0b\x0c]")
# They split words for a tokenizer and show nothing: soft hyphen, zero-width space, grapheme joiner, fillers, selectors.
_INVISIBLE = re.compile("[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u3164\ufe00-\ufe0f\uffa0]")
# Joiners shape letters of Arabic, Syriac, the scripts of India and around it, Mongolian, and emoji.
_SHAPED = (
    "\u0600-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u18af\u2190-\u2bff\ufb50-\ufdcf\ufdf0-\ufdff\U0001f000-\U0001faff"
)
_IDLE_JOINER = re.compile(f"(?<![{_SHAPED}])[\u200c\u200d]+|[\u200c\u200d]+(?![{_SHAPED}])")
_SPACES = re.compile("[\u00a0\u2000-\u200a\u202f\u205f\u3000]")
_HYPHENS = re.compile("[\u2010\u2011]")
# Latin and Arabic ligatures and the half- and full-width forms of East Asia. Not all that NFKC replaces: x² is not x2.
_FORMS = re.compile("[\ufb00-\ufb06\ufb13-\ufb17\ufb50-\ufdfb\ufe70-\ufefc\uff01-\uffee]+")


def printable(text: str) -> str:
    """A text that neither a terminal, a log nor a table can choke on: without controls and direction marks.

    Everything that a site or a model sent goes through this before it is printed, logged or stored.
    """
    return _UNSEEN.sub("", _LINE_ENDS.sub("\n", text))


def normal_form(text: str) -> str:
    """The one spelling of a text: printable, composed (NFC), in plain widths, spaces and hyphens.

    Joiners stay between letters of scripts that need them; powers and indices stay (NFKC would make x² x2).
    """
    text = _INVISIBLE.sub("", printable(text))
    text = _HYPHENS.sub("-", _SPACES.sub(" ", _IDLE_JOINER.sub("", text)))
    text = _FORMS.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    return unicodedata.normalize("NFC", text)


def one_line(text: str) -> str:
    """The normal form of a title, a heading or a link text: without line ends, white space collapsed."""
    return " ".join(normal_form(text).split())
