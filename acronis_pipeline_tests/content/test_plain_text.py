from acronis_pipeline.content import Content, extract
from acronis_pipeline.content.plain_text import is_log, to_html

README = """\
ACME BACKUP
===========

A short description that goes on
over two lines.

Requirements
------------

 - a disk
 - a second disk, which may be
   smaller

Usage:

    acme run --all

Name      Size    Note
disk      10 GB   fast <SSD>
"""


def read(text: str) -> Content:
    return extract(to_html(text), url="https://docs.example.com/readme.txt")


def test_paragraphs_lists_and_columns_are_recognised():
    page = read(README)
    assert page.title == "ACME BACKUP"
    assert [heading.text for heading in page.headings] == ["ACME BACKUP", "Requirements"]
    assert "A short description that goes on over two lines." in page.markdown
    assert "- a disk\n- a second disk, which may be smaller" in page.markdown
    assert "acme run --all" in page.markdown
    assert "disk      10 GB   fast <SSD>" in page.markdown


def test_text_without_a_title_is_named_after_its_file():
    page = read("This is a sentence that ends.\n\nAnd another.\n")
    assert page.title == "Readme"
    assert page.markdown == "This is a sentence that ends.\n\nAnd another."


def test_a_log_is_told_from_prose():
    assert is_log("\n".join(f"2026-11-21 03:{minute:02}:00 INFO backup done" for minute in range(40)))
    assert not is_log(README * 10)
