import pytest

from acronis_pipeline.core.errors import DatasetError
from acronis_pipeline.pairs import gold
from acronis_pipeline.store import Store

SITE = "https://docs.example/help/"


def write(tmp_path, text: str, name: str = "gold.yaml"):
    file = tmp_path / name
    file.write_text(text, "utf-8")
    return file


def test_relative_urls_are_resolved_against_the_site_and_fragments_become_anchors(tmp_path):
    file = write(tmp_path, "- question: Is there a trial?\n  expected_urls: [/trial/#length]\n")
    (question,) = gold.read_gold_file(file, site_url=SITE)
    assert question.expected_urls == ("https://docs.example/trial/",)
    assert question.anchor == "length"


def test_json_lines_and_yaml_say_the_same(tmp_path):
    yaml_file = write(tmp_path, "- question: Why?\n  expected_urls: [https://docs.example/a]\n  answer: Because.\n")
    json_file = write(
        tmp_path,
        '{"question": "Why?", "expected_urls": ["https://docs.example/a"], "answer": "Because."}\n',
        "gold.jsonl",
    )
    assert gold.read_gold_file(yaml_file, site_url=SITE) == gold.read_gold_file(json_file, site_url=SITE)


@pytest.mark.parametrize(
    ("text", "name", "complaint"),
    [
        ("question: [", "gold.yaml", "not valid YAML"),
        ("just text", "gold.yaml", "expected a list"),
        ("- question: Why?\n  urls: [a]\n", "gold.yaml", "entry 1: urls"),
        ("- expected_urls: [a]\n", "gold.yaml", "entry 1: question"),
        ("- question: Why?\n- question: why?\n", "gold.yaml", "entry 2.*twice"),
        ("[]", "gold.yaml", "no question"),
        ('{"question": "Why?"}\n{broken\n', "gold.jsonl", "not JSON"),
    ],
)
def test_bad_file_is_refused_with_its_name_and_the_entry(tmp_path, text, name, complaint):
    with pytest.raises(DatasetError, match=rf"{name}.*{complaint}"):
        gold.read_gold_file(write(tmp_path, text, name), site_url=SITE)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"nowhere\.yaml: no such file"):
        gold.read_gold_file(tmp_path / "nowhere.yaml", site_url=SITE)


def test_table_holds_exactly_the_last_file(tmp_path):
    store = Store(str(tmp_path / "lancedb"))
    gold.sync(store, gold.customer_questions())
    file = write(tmp_path, "- question: Only this one?\n")
    questions = gold.read_gold_file(file, site_url=SITE)
    gold.sync(store, questions)
    assert gold.load(store) == questions
    assert not gold.sync(store, questions).changed
