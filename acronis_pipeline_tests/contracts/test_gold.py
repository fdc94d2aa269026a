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
        ("[" * 20_000, "gold.json", "nested too deeply"),
        ("- question: 2024-13-45\n", "gold.yaml", "no YAML that can be read"),
        ("- !!timestamp soon\n", "gold.yaml", "no YAML that can be read"),
        ('{"question": ' + "9" * 5_000 + "}\n", "gold.jsonl", "no JSON that can be read"),
        ("just text", "gold.yaml", "expected a list"),
        ("- question: Why?\n  urls: [a]\n", "gold.yaml", "entry 1: urls"),
        ("- expected_urls: [a]\n", "gold.yaml", "entry 1: question"),
        ("[]", "gold.yaml", "no question"),
        ("{broken\n", "gold.jsonl", "not JSON"),
    ],
)
def test_bad_file_is_refused_with_its_name_and_the_entry(tmp_path, text, name, complaint):
    with pytest.raises(DatasetError, match=rf"{name}.*{complaint}"):
        gold.read_gold_file(write(tmp_path, text, name), site_url=SITE)


def test_entries_of_one_question_are_one_with_the_pages_of_all(tmp_path, caplog):
    file = write(
        tmp_path,
        "- {question: 'Is there a trial?', expected_urls: [/a/#length], answer: Yes.}\n"
        "- {question: 'is there a TRIAL', expected_urls: [/b/, /a/]}\n"
        "- {question: 'How long?', expected_urls: [/a/]}\n"
        "- {question: 'How long?', expected_urls: [/a/#length]}\n",
    )
    trial, length = gold.read_gold_file(file, site_url=SITE)
    assert trial.expected_urls == ("https://docs.example/a/", "https://docs.example/b/")
    assert (trial.anchor, trial.answer) == (None, "Yes.")  # the anchor would rule out what /b/ says
    assert length.anchor == "length"
    assert "'Is there a trial?' stands there 2 times: merged" in caplog.text


def test_entries_that_cannot_be_used_are_left_out_and_counted(tmp_path, caplog):
    file = write(
        tmp_path,
        "- {question: 'Is there a trial?', expected_urls: /a/, id: 17, tags: [sales]}\n"
        "- {question: '', expected_urls: [/a/]}\n"
        "- just a text\n"
        "- {question: 'How?', url: /a/}\n"
        "- {question: 1601, expected_urls: null, answer: 5}\n",
    )
    trial, code = gold.read_gold_file(file, site_url=SITE)
    assert (trial.expected_urls, code.question, code.answer) == (("https://docs.example/a/",), "1601", "5")
    assert "3 of 5 entries left out: entry 2: question" in caplog.text
    assert "keys that are not read: id, tags" in caplog.text


def test_a_file_as_windows_saves_it_is_read(tmp_path):
    (tmp_path / "gold.jsonl").write_text('{"question": "Why\u2028so?"}\r\n{broken\r\n', "utf-16")
    (question,) = gold.read_gold_file(tmp_path / "gold.jsonl", site_url=SITE)
    assert question.question == "Why\nso?"


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
