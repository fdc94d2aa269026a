import pytest
from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.pairs.english import names_in
from acronis_pipeline.pairs.generators.rewriting import questions


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("The minimum backup interval is 15 minutes.", "what is the minimum backup interval"),
        ("A protection plan is a set of modules that work together.", "what is a protection plan"),
        ("The appliance supports incremental backups.", "does the appliance support incremental backups"),
        ("The mobile app does not support tape drives.", "does the mobile app support tape drives"),
        ("The agent requires at least 2 GB of memory.", "how much memory does the agent need"),
        ("The first backup takes several hours.", "how long does the first backup take"),
        ("Backup logs are stored in the audit database.", "where are backup logs stored"),
        ("Old versions are deleted after 30 days.", "when are old versions deleted"),
        ("If a file is locked, the agent skips it.", "what happens if a file is locked"),
        ("Deleted mailboxes can be recovered within a month.", "can deleted mailboxes be recovered within a month"),
        ("The console encrypts all archives.", "does the console encrypt all archives"),
        ("RPO refers to the most data a company may lose.", "what does RPO refer to"),
    ],
)
def test_a_statement_becomes_the_question_that_it_answers(sentence, question):
    assert questions(sentence, frozenset({"RPO"}))[0].query == question


@pytest.mark.parametrize(
    "sentence",
    [
        "You can exclude temporary files by editing the filter list.",
        "To exclude temporary files, edit the filter list.",
        "If you want to exclude temporary files, edit the filter list.",
        "Use the filter list to exclude temporary files.",
    ],
)
def test_an_instruction_becomes_a_how_to(sentence):
    (rewrite,) = questions(sentence)
    assert rewrite.style == "how-to"
    assert rewrite.query.startswith(("how do I ", "how to ", "how can I "))
    assert rewrite.query.endswith("temporary files")


def test_what_the_page_says_to_you_is_asked_about_me():
    (rewrite,) = questions("If you cannot reach your own server, contact your administrator.")
    assert rewrite.query.endswith("I cannot reach my own server")


def test_a_condition_that_opens_a_sentence_stays_with_the_question():
    (rewrite,) = questions("In safe mode, the agent supports local backups.")
    assert rewrite.query == "does the agent support local backups in safe mode"


def test_trouble_with_advice_is_asked_for_the_advice():
    (rewrite,) = questions("If the backup fails with an error, restart the agent.")
    assert rewrite.query in {
        f"what {o} the backup fails with an error" for o in ("should I do if", "to do if", "can I do if")
    }


def test_names_keep_their_capital_and_sentence_starts_lose_it():
    names = names_in("Later on Velero stores it. Backups are kept.")
    assert questions("Velero supports hooks.", names)[0].query == "does Velero support hooks"
    assert questions("Agents support hooks.", names)[0].query == "do agents support hooks"


@pytest.mark.parametrize(
    "sentence",
    [
        "This is a list of the options.",
        "The tool supports all of them.",
        "In the following, the agent is configured.",
        "The command that stores archives is described below.",
        "Monitor for unusual changes.",
        "If the restore starts, open the console.",
        "When you refer to an object, use its full name.",
        "The storage usually support snapshots.",
        "Velero provides robust support for snapshots.",
        'Any value except "true" is considered as "false',
        "The hook is a command.",
        "In some cases, the proxy requires a certificate.",
        "Supported commands will be described one by one.",
    ],
)
def test_a_doubtful_sentence_gives_no_question(sentence):
    assert questions(sentence) == []


@given(st.text(max_size=120))
def test_any_text_is_survived(text):
    for rewrite in questions(text):
        assert rewrite.query.strip()


@pytest.mark.parametrize(
    "sentence",
    [
        "To change the file unnoticed, someone would have to change a block that thousands of computers hold.",
        "To ensure the remote storage is consistent, Velero uses a local database.",
        "A stolen password is the most common way into a console.",
        "Two things are encrypted independently.",
        "The machines themselves are slowed down.",
        "Programs can then read all data directly.",
        "Microsoft Defender can be managed from the plan instead.",
        "The release notes list every change.",
        "If you are using the app, the server asks for a code.",
        "A future version may allow, with some limits, other names.",
    ],
)
def test_a_statement_that_would_be_asked_wrongly_gives_no_question(sentence):
    assert questions(sentence) == []


@pytest.mark.parametrize(
    "sentence",
    [
        "To use the S3 destination, enter a bucket.",
        "To use the S3 destination, a bucket must be named.",
        "To use the S3 destination you must enter: server and path.",
    ],
)
def test_an_instruction_in_any_voice_becomes_a_how_to(sentence):
    (rewrite,) = questions(sentence)
    assert rewrite.query.endswith("the S3 destination")


def test_how_often_is_asked_of_a_time_only():
    assert questions("Logs are saved every 15 minutes.")[0].query == "how often are logs saved"
    assert questions("Each database is saved once, on any node.")[0].query == "how often is each database saved"
