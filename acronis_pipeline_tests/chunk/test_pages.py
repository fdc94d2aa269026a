from acronis_pipeline.chunk import chunk_page
from acronis_pipeline.content import extract
from acronis_pipeline.content.pdf import document
from acronis_pipeline.content.pdf.__main__ import html
from acronis_pipeline.core.settings import ChunkSettings
from acronis_pipeline_tests.content.pdf_maker import Put, make, paragraph

URL = "https://docs.example.com/manual.pdf"


class Words:
    """Counts words as tokens."""

    fingerprint = "words"

    def count(self, text: str) -> int:
        return len(text.split())

    def count_many(self, texts) -> list[int]:
        return [self.count(text) for text in texts]


def test_a_passage_of_a_pdf_is_anchored_at_the_page_on_which_its_text_begins():
    names = [f"{chr(97 + number // 10)}{chr(97 + number % 10)}" * 3 for number in range(40)]
    sentences = [f"Sentence {number} is about {name} and says a few more words." for number, name in enumerate(names)]
    pages = [paragraph(*sentences[start : start + 10], y=700) for start in range(0, 40, 10)]
    pages[0].insert(0, Put("The work", 730, size=20))
    content = extract(html(document.read(make(pages), 10)), url=URL)
    chunks = chunk_page(content, URL, ChunkSettings(max_tokens=100, min_tokens=10), Words())
    begins = [int(chunk.text.split()[1]) for chunk in chunks]
    assert [chunk.anchor for chunk in chunks] == [f"page={sentence // 10 + 1}" for sentence in begins]
    assert len({chunk.anchor for chunk in chunks}) == 4
    assert " ".join(chunk.text for chunk in chunks).split() == " ".join(sentences).split()
    assert all(chunk.n_tokens == len(chunk.passage.split()) <= 100 for chunk in chunks)
    assert all("Page" not in chunk.passage for chunk in chunks)
