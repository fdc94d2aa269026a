from acronis_pipeline.pairs.generators.tables import error_queries, table_queries, term_queries
from acronis_pipeline.pairs.sentences import parse


def queries(markdown: str, context: str = "Agents") -> list[tuple[str, str]]:
    return list(table_queries(parse(markdown).rows, context))


def test_a_cell_is_asked_for_by_its_row_and_column():
    ((query, style),) = queries("| Edition | Storage quota |\n|---|---|\n| Advanced plan | 500 GB |\n")
    assert style == "table"
    assert {"advanced", "plan", "storage", "quota"} <= set(query.lower().split())


def test_a_row_that_explains_a_message_is_asked_for_by_the_message():
    found = queries(
        "| Error message | What to do |\n|---|---|\n| The disk is locked by another process | Unlock it |\n"
    )
    assert found == [("The disk is locked by another process", "error")]


def test_rows_named_by_sentences_numbers_or_code_ask_nothing():
    assert queries("| A | B |\n|---|---|\n| 12 | x |\n| Do it now. | y |\n| a={1} | z |\n") == []


def test_terms_of_lists_are_asked_for_with_their_context():
    blocks = parse(
        "- **Quota**: the most that a user may store in the cloud\n- Note: this one is only a label here\n"
    ).blocks
    assert list(term_queries(blocks, "Licensing")) == [("Quota Licensing", "table")]


def test_messages_in_code_or_quotes_are_errors_and_commands_are_not():
    text = 'If you see "Access to the vault is denied", check the role. Run `velero backup get --all` to list them.'
    assert list(error_queries(parse(text).blocks)) == ["Access to the vault is denied"]


def test_names_and_commands_beside_an_error_are_no_messages():
    text = (
        "Wrap the error with `errors.WithStack(err)`. To avoid an error run `ssh-keygen -m pem key`. "
        "There is an error if the pod uses `multiple CSI drivers` at once."
    )
    assert list(error_queries(parse(text).blocks)) == []
    assert list(error_queries(parse("The job stops with the error `vault quota used up`.").blocks)) == [
        "vault quota used up"
    ]
