import pytest
from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.content import Content, PageStart, extract
from acronis_pipeline.content import markdown as markdown_text
from acronis_pipeline.content.pdf import BadPdfError, PdfLimits, document, to_html
from acronis_pipeline.content.pdf.__main__ import html
from acronis_pipeline_tests.content.pdf_maker import Put, make, paragraph

MEDIUM = (
    "Restoring a whole machine needs a bootable medium, which the console makes for you in a few",
    "minutes. Put it into the machine and start from it. The network is not needed while all of",
)
ANYWHERE = ("the disks are written, so that this works anywhere.",)


def read(file: bytes) -> Content:
    """What becomes of a PDF, in this process: the subprocess costs a third of a second."""
    return extract(html(document.read(file, max_pages=100)), url="https://docs.example.com/manual.pdf")


def manual(**about: object) -> bytes:
    """Three pages with running head and foot; a paragraph goes over the first page's end."""
    head = Put("Acme Manual", 760, size=9)
    title, recovery = Put("Restore Guide", 700, size=24), Put("1 Recovery", 660, size=16)
    pages = [
        [head, title, recovery, *paragraph(*MEDIUM, y=640), Put("Page 1", 40)],
        [head, *paragraph(*ANYWHERE, y=700), Put("Page 2", 40)],
        [head, Put("2 Schedules", 700, size=16), Put("Backups run at night.", 680), Put("Page 3", 40)],
    ]
    return make(pages, **about)  # pyright: ignore[reportArgumentType]


def test_a_manual_becomes_a_page_with_title_headings_and_whole_paragraphs():
    page = read(manual(language="en-GB"))
    assert (page.title, page.language, page.method) == ("Restore Guide", "en", "main")
    assert [(heading.level, heading.text) for heading in page.headings[1:]] == [(2, "Recovery"), (2, "Schedules")]
    assert " ".join([*MEDIUM, *ANYWHERE]) in page.markdown


def test_running_heads_feet_and_page_numbers_are_no_text():
    markdown = read(manual()).markdown
    assert "Acme Manual" not in markdown
    assert "Page" not in markdown


def test_it_is_known_where_each_page_begins():
    page = read(manual())
    begins = {start.number: page.markdown[start.offset :].split(",")[0] for start in page.page_starts}
    assert begins == {
        1: "Restoring a whole machine needs a bootable medium",
        2: "the disks are written",
        3: "Backups run at night.",
    }


def test_another_program_that_writes_the_same_text_changes_nothing():
    assert read(manual(producer="one")).content_hash == read(manual(producer="another")).content_hash


def test_the_outline_says_what_is_a_heading_and_at_which_level():
    page = read(
        make(
            [
                [Put("1 Recovery", 700), *paragraph(*MEDIUM, y=660), Put("1.1 From tape", 600), Put("Slowly.", 580)],
                [Put("2 Schedules", 700), Put("Large print is no heading here", 660, size=20)],
            ],
            outline=[(0, "Recovery", 1), (1, "From tape", 1), (0, "Schedules", 2)],
            title="Acme Manual",
        )
    )
    headings = [(heading.level, heading.text) for heading in page.headings]
    assert headings == [(1, "Acme Manual"), (2, "Recovery"), (3, "From tape"), (2, "Schedules")]


def test_a_title_that_a_word_processor_made_up_is_none():
    assert read(manual(title="Microsoft Word - guide_v3_final.docx")).title == "Restore Guide"
    assert read(manual(title="The Whole Guide")).title == "The Whole Guide"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("The schedule of the incre-", "mental copies is kept in a file of its own."), "the incremental copies"),
        (
            ("A well-known path is better than a less well-", "known one, as anyone will tell you."),
            "less well-known one",
        ),
    ],
)
def test_a_word_broken_at_a_line_end_is_whole_again(lines, said):
    assert said in read(make([paragraph(*lines, y=700)])).markdown


def test_columns_become_a_table_and_fixed_pitch_lines_stay_lines():
    rows = [("Option", "Meaning"), ("--keep", "Versions that are kept"), ("--dry-run", "Nothing is written")]
    table = [
        Put(cell, 700 - 15 * row, x) for row, cells in enumerate(rows) for x, cell in zip((72, 250), cells, strict=True)
    ]
    code = [Put("acme restore --all \\", 600, font="code"), Put("--target /mnt", 586, x=72 + 4 * 6.6, font="code")]
    markdown = read(make([[*table, *paragraph("To restore:", y=620), *code]])).markdown
    assert "| --keep | Versions that are kept |" in markdown
    assert "```\nacme restore --all \\\n    --target /mnt\n```" in markdown


def test_list_items_keep_their_numbers_and_lose_their_bullets():
    bullets = paragraph(
        "\u2022 The first thing is a long one that needs", "  a second line of its own.", "\u2022 The second.", y=700
    )
    numbers = paragraph("3. Choose a medium.", "4. Start from it.", y=600)
    markdown = read(make([[*bullets, *numbers]])).markdown
    assert "- The first thing is a long one that needs a second line of its own.\n- The second." in markdown
    assert "3. Choose a medium.\n4. Start from it." in markdown


def test_tables_of_contents_are_left_out():
    entries = [f"Chapter about {name} . . . . . . . . {page}" for page, name in enumerate("abcdef", start=1)]
    page = read(make([paragraph(*entries, y=700), paragraph("Chapter about a", *MEDIUM, y=700)]))
    assert ". . ." not in page.markdown
    assert page.page_starts[0].number == 2


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (make([[Put("secret", 700)]], encrypted=True), "PDF: encrypted"),
        (make([[], []]), "PDF: no text (scanned)"),
        (b"%PDF-1.7\nnothing of the kind\n%%EOF", "PDF: broken"),
        (manual()[:-2_000], "PDF: truncated"),
        (make([[Put("page", 700)]] * 101), "PDF: too many pages"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_pdf_without_text_says_why(file, reason):
    with pytest.raises(BadPdfError) as failed:
        read(file)
    assert failed.value.reason == reason


@pytest.mark.server
def test_a_process_of_its_own_reads_it():
    assert extract(to_html(manual(), PdfLimits()), url="https://a.example/m.pdf") == read(manual())


@pytest.mark.server
def test_a_pdf_that_takes_too_long_is_given_up():
    with pytest.raises(BadPdfError, match="not read within") as failed:
        to_html(manual(), PdfLimits(timeout_s=0.02))
    assert failed.value.reason == "PDF: too slow to read"


@pytest.mark.server
def test_a_reader_that_dies_costs_that_file_only():
    with pytest.raises(BadPdfError) as failed:
        to_html(manual(), PdfLimits(max_pages="many"))  # pyright: ignore[reportArgumentType]
    assert failed.value.reason == "PDF: broken"


@given(st.text(st.characters(max_codepoint=0x2FFF), max_size=80), st.lists(st.integers(1, 9_999), max_size=6))
def test_page_starts_survive_being_put_back(text, numbers):
    step = len(text) // (len(numbers) + 1)
    starts = tuple(PageStart(step * at, number) for at, number in enumerate(numbers))
    assert markdown_text.split(markdown_text.join(text, starts)) == (text, starts)
