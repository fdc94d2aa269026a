import pytest

from acronis_pipeline.pairs.generators.headings import in_context


def asked(question: str, context: str, *particular: str) -> str | None:
    return in_context(question, context, lambda word: word in particular)


def test_a_short_question_is_completed_by_the_heading_that_it_stands_under():
    assert asked("Where are attachments stored?", "Acme Keep") == "Acme Keep: where are attachments stored?"


@pytest.mark.parametrize(
    "context", ["Cannot back up data", "To restore", "Avoid idioms", "Binding mode is immediate", ""]
)
def test_a_question_whose_heading_does_not_fit_is_only_kept_if_it_names_something(context: str):
    assert asked("are attachments stored", context) is None
    assert asked("are attachments stored", context, "attachments") == "are attachments stored"


@pytest.mark.parametrize("context", ["Storing attachments", "Attachment"])
def test_a_word_of_the_question_is_not_said_twice(context: str):
    assert asked("are attachments stored", context) == "are attachments stored"


@pytest.mark.parametrize("context", ["Protecting VMware vSphere", "Backups take too long", "Limits and quotas"])
def test_a_heading_of_any_form_stands_before_its_question(context: str):
    assert asked("what is normal?", context) == f"{context}: what is normal?"


@pytest.mark.parametrize("context", ["Delete the entry in the console", "Run it by hand", "Building your own"])
def test_an_instruction_is_no_topic(context: str):
    assert asked("are attachments stored", context) is None


def test_one_word_in_common_that_many_pages_have_does_not_name_the_topic():
    assert asked("how to change the model", "Licensing models") == "Licensing models: how to change the model"
    assert asked("how to change the model", "Licensing models", "model") == "how to change the model"


def test_a_question_that_says_enough_is_left_alone():
    question = "are old attachments stored in another vault"
    assert asked(question, "Acme Keep") == question
