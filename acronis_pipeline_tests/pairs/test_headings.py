import pytest

from acronis_pipeline.pairs.generators import headings


@pytest.mark.parametrize(
    ("heading", "ending"),
    [
        ("Configuring the retention rules", "the retention rules"),
        ("To configure the retention rules", "the retention rules"),
        ("How to configure the retention rules", "the retention rules"),
        ("Create a protection plan", "a protection plan"),
        ("Backing up a virtual machine", "back up a virtual machine"),
    ],
)
def test_an_instruction_heading_becomes_a_how_to(heading, ending):
    question = headings.how_to_question(heading)
    assert question is not None
    assert question.startswith(("how do I ", "how to ", "how can I "))
    assert question.endswith(ending)


@pytest.mark.parametrize("heading", ["Backup storage", "Test results", "Release notes", "Use cases", "Retention rules"])
def test_a_compound_noun_is_no_instruction(heading):
    assert headings.how_to_question(heading) is None


def test_verbs_that_are_joined_all_become_what_the_first_one_is():
    question = headings.how_to_question("Creating and Managing the Vault")
    assert question is not None
    assert question.endswith(" and manage the Vault")


@pytest.mark.parametrize(
    ("heading", "context"),
    [
        ("Clean up", "Use a cloud as storage for Acme"),
        ("Back up", "File System Backup"),
        ("Contributing", "Start contributing"),
        ('Avoid using "we"', "Patterns to avoid"),
        ("Specify after install", "Node agent"),
    ],
)
def test_an_instruction_without_object_asks_nothing_where_its_context_does_not_fit(heading, context):
    assert headings.how_to_question(heading, context) is None


def test_an_instruction_without_object_borrows_the_page_title():
    question = headings.how_to_question("Uninstalling", "Acme Agent")
    assert question is not None
    assert question.endswith("Acme Agent")


@pytest.mark.parametrize("heading", ["What is a recovery point?", "How does retention work", "Can I restore one file?"])
def test_questions_are_recognised_with_or_without_their_mark(heading):
    assert headings.is_question(heading)


def test_numbering_anchor_signs_and_the_site_name_are_not_part_of_a_heading():
    site = headings.site_names([f"Page {n} - Acme Docs" for n in range(5)])
    assert headings.clean("3.1 Restore - Acme Docs", site) == "Restore"
    assert headings.clean("Step 2: Choose a plan ¶") == "Choose a plan"


def test_a_generic_heading_is_completed_by_what_stands_above_it():
    (query,) = headings.title_queries("Tape backup", ["Limitations"])
    assert sorted(query.lower().split()) == ["backup", "limitations", "tape"]


@pytest.mark.parametrize(("title", "path"), [("Overview", []), ("Introduction", ["See also"]), ("", ["Notes"])])
def test_generic_headings_alone_ask_nothing(title, path):
    assert headings.title_queries(title, path) == []


def test_an_overview_section_stands_for_its_page():
    assert [query.lower() for query in headings.title_queries("Tape backup", ["Overview"])] == ["tape backup"]


@pytest.mark.parametrize(
    ("heading", "context"),
    [
        ("Choose the way", "Recovery checklist for the Standard edition"),
        ("Changing it", "Encryption and passwords"),
        ("Deleting by hand", "Retention rules"),
        ("Back to the same machine", "Recovering volumes"),
        ("Back up", "Quick start evaluation install with Minio"),
    ],
)
def test_an_instruction_is_not_completed_by_what_is_not_its_object(heading, context):
    assert headings.how_to_question(heading, context) is None


def test_trouble_is_shot_rather_than_the_thing_fixed():
    question = headings.how_to_question("Troubleshooting", "Velero release")
    assert question is not None
    assert question.endswith("troubleshoot Velero release")


def test_how_long_it_takes_is_no_question():
    assert not headings.is_question("How long it takes")
