"""One spelling for text."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.core.text import normal_form, printable


@pytest.mark.parametrize(
    ("written", "spelled"),
    [
        (unicodedata.normalize("NFD", "Größe des Übertragungspuffers"), "Größe des Übertragungspuffers"),
        (unicodedata.normalize("NFD", "전송 버퍼 최대 크기"), "전송 버퍼 최대 크기"),
        ("back\u00adup pol\u200bicy", "backup policy"),
        ("ba\u200cck\u200dup", "backup"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # Persian needs its joiner
        ("क्\u200dष", "क्\u200dष"),  # and so does Hindi
        ("👩\u200d💻", "👩\u200d💻"),
        ("ＲＰＯ　１５ ﾊﾞｯｸｱｯﾌﾟ", "RPO 15 バックアップ"),
        ("ﬁle and oﬃce", "file and office"),
        ("10\u00a0GB, 5\u202f%, non\u2011stop", "10 GB, 5 %, non-stop"),
        ("x², 10⁶, H₂O, ½", "x², 10⁶, H₂O, ½"),
        ("a\u202eb\u2066c\u200fd\ufeff", "abcd"),
        ("one\r\ntwo\u2028three\x85four", "one\ntwo\nthree\nfour"),
        ("hidden\U000e0041\U000e0042 tags", "hidden tags"),
        ("half \ud800 a character", "half  a character"),
        ("\x1b[31mred\x07", "[31mred"),
    ],
)
def test_what_looks_alike_is_spelled_alike(written: str, spelled: str):
    assert normal_form(written) == spelled


@given(st.text(st.characters(codec=None)))
def test_a_spelling_is_final_and_can_be_printed(text: str):
    spelled = normal_form(text)
    assert normal_form(spelled) == spelled
    assert printable(spelled) == spelled
    spelled.encode("utf-8")
    assert not any(unicodedata.category(character) == "Cc" for character in spelled if character not in "\t\n")
