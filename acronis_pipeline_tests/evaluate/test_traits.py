from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.evaluate.questions import lexical_overlap, n_words, sections, stems

PATHS = st.lists(st.sampled_from(["docs", "en", "backup", "plans", "a", "b"]), max_size=5)


def section_of(*paths: str) -> list[str]:
    return list(sections(f"https://docs.test{path}" for path in paths).values())


def test_section_is_the_folder_below_what_all_pages_share() -> None:
    assert section_of("/docs/en/backup/plans/weekly", "/docs/en/backup/agents", "/docs/en/restore/files") == [
        "/docs/en/backup/",
        "/docs/en/backup/",
        "/docs/en/restore/",
    ]


def test_page_in_no_folder_is_in_the_shared_one() -> None:
    assert section_of("/docs/faq", "/docs/backup/plans", "/docs/restore/files")[0] == "/docs/"


def test_front_page_of_a_section_belongs_to_it() -> None:
    assert section_of("/backup/", "/backup/plans/", "/restore/files/", "/")[:2] == ["/backup/", "/backup/"]
    assert section_of("/backup/", "/backup/plans/", "/restore/files/", "/")[3] == "/"


def test_odd_page_elsewhere_does_not_spoil_the_sections() -> None:
    many = [f"/help/{part}/page{n}" for part in ("backup", "restore") for n in range(20)]
    assert set(section_of(*many, "/imprint")) == {"/help/backup/", "/help/restore/", "/"}


@given(st.lists(PATHS, max_size=12))
def test_section_is_always_a_folder_that_holds_the_page(paths: list[list[str]]) -> None:
    urls = {f"https://docs.test/{'/'.join(path)}" for path in paths}
    for url, section in sections(urls).items():
        assert section.startswith("/")
        assert section.endswith("/")
        assert f"{url.removeprefix('https://docs.test').rstrip('/')}/".startswith(section)


def test_lexical_overlap_is_the_share_of_content_words_whatever_their_ending() -> None:
    passage = stems("The agents are restoring files to another machine.")
    assert lexical_overlap("How do I restore a file?", passage) == 1.0
    assert lexical_overlap("How do I restore a mailbox?", passage) == 0.5
    assert lexical_overlap("mailbox", passage) == 0.0


def test_question_without_content_words_is_judged_by_all_of_them() -> None:
    assert lexical_overlap("what is it", stems("")) == 0.0
    assert lexical_overlap("", stems("anything")) == 0.0


def test_words_are_counted_as_written() -> None:
    assert n_words("Is there a trial-period?") == 4
