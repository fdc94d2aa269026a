from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.pairs.sentences import parse


def test_markup_is_removed_and_code_spans_and_quotes_are_remembered():
    (block,) = parse('Run `agent --status`, then **read** [the log](x.html): "Access is denied".').blocks
    assert block.text == 'Run agent --status, then read the log: "Access is denied".'
    assert block.marked == ("agent --status", "Access is denied")


def test_kinds_of_blocks_are_told_apart_and_code_is_left_out():
    parts = parse("### Restore\n\nText here.\n\n- one\n\n1. step\n\n```\ncode\n```\n\n**Is it free?**\n")
    assert [block.kind for block in parts.blocks] == ["heading", "paragraph", "item", "step", "paragraph"]
    assert [block.all_bold for block in parts.blocks] == [False, False, False, False, True]


def test_rows_come_with_their_header_and_short_rows_are_padded():
    parts = parse("| Error | Meaning |\n|---|---|\n| Disk full | No space |\n")
    assert [(row.header, row.cells) for row in parts.rows] == [(("Error", "Meaning"), ("Disk full", "No space"))]
    assert not parts.blocks


def test_definition_lists_give_terms():
    (block,) = parse("RPO\n: The most data one may lose.").blocks
    assert (block.kind, block.text, block.definition) == ("term", "RPO", "The most data one may lose.")


@given(st.text(alphabet="ab|-#*`>1. \n\"'[](){}<&;", max_size=120))
def test_any_text_is_parsed(text):
    parts = parse(text)
    assert all(len(row.header) == len(row.cells) for row in parts.rows)
