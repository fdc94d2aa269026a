import pytest

from acronis_pipeline.content import Content, extract
from acronis_pipeline.content.markdown_page import to_html


def read(text: str) -> Content:
    return extract(to_html(text), url="https://docs.example.com/guide.md")


def test_headings_have_the_anchors_that_github_gives_them():
    page = read("# Guide\n\n## Back up & restore: `acme`?\n\nText.\n\n## Options\n\na\n\n## Options\n\nb\n")
    anchors = [heading.anchor for heading in page.headings]
    assert anchors == ["guide", "back-up--restore-acme", "options", "options-1"]


def test_an_id_in_braces_is_the_anchor_and_not_part_of_the_heading():
    heading = read("# Guide\n\n## Retention {#keep}\n\nText.\n").headings[1]
    assert (heading.text, heading.anchor) == ("Retention", "keep")


@pytest.mark.parametrize(
    ("text", "title", "language"),
    [
        ("---\ntitle: Restore a disk\nlang: de\n---\nText of the page.\n", "Restore a disk", "de"),
        ('+++\ntitle = "Restore a disk"\n+++\n\n# Another heading\n\nText.\n', "Restore a disk", None),
        ("---\ntitle: [broken\n---\n# Restore\n\nText.\n", "Restore", None),
        ("---\ntitle: Restore: a disk\nlang: de\n---\nText of the page.\n", "Restore: a disk", "de"),
        ('{\n  "title": "Restore a disk"\n}\n\nText.\n', "Restore a disk", None),
        ("\n---\r\ntitle: Restore a disk\r\n---\r\nText.\r\n", "Restore a disk", None),
        ("---\n\nText between two rules.\n\n---\n\n# Restore\n\nText.\n", "Restore", None),
        ("## Only a second level\n\nText.\n", "Only a second level", None),
        ("Text alone.\n", "Guide", None),
    ],
)
def test_the_title_is_the_front_matters_or_the_first_headings(text, title, language):
    page = read(text)
    assert (page.title, page.language) == (title, language)
    assert "title" not in page.markdown


def test_a_title_that_the_first_heading_repeats_stands_once():
    assert read("---\ntitle: Restore\n---\n# Restore\n\nText.\n").markdown == "# Restore\n\nText."


@pytest.mark.parametrize("setting", ["draft: true", "published: false"])
def test_what_its_own_site_would_not_show_asks_not_to_be_indexed(setting):
    assert read(f"---\n{setting}\n---\nText.\n").robots == {"noindex"}


def test_tables_code_and_inline_html_stay():
    page = read(
        "| a | b |\n| --- | --- |\n| 1 | 2 |\n\n```sh\n# no heading\nacme {{< x >}}\n```\n\nA <b>bold</b> word.\n"
    )
    assert "| 1 | 2 |" in page.markdown
    assert "# no heading\nacme {{< x >}}" in page.markdown
    assert "A **bold** word." in page.markdown
    assert page.headings == ()


@pytest.mark.parametrize(
    "text",
    [
        '!!! warning "Mind the disk"\n    It is erased.\n\n    All of it.\n\nThen go on.\n',
        ":::warning Mind the disk\nIt is erased.\n\nAll of it.\n:::\n\nThen go on.\n",
        "::: warning Mind the disk\nIt is erased.\n\nAll of it.\n:::\n\nThen go on.\n",
        '{% hint title="Mind the disk" %}\nIt is erased.\n\nAll of it.\n{% endhint %}\n\nThen go on.\n',
        '{{< tab name="Mind the disk" >}}\nIt is erased.\n\nAll of it.\n{{< /tab >}}\n\nThen go on.\n',
    ],
)
def test_what_generators_add_to_markdown_is_understood(text):
    assert read(text).markdown == "**Mind the disk:**\n\nIt is erased.\n\nAll of it.\n\nThen go on."


def test_alerts_of_github_are_quotations_and_modules_of_mdx_are_nothing():
    page = read("import Tabs from '@theme/Tabs';\n\n> [!NOTE]\n> It is erased.\n")
    assert page.markdown == "> **Note:** It is erased."


@pytest.mark.parametrize("text", ["[" * 20_000, "{{<" * 20_000, "> " * 5_000, "*a " * 20_000, "{%" * 20_000])
def test_hostile_markdown_ends_soon(text):
    assert to_html(text).endswith("</html>")


def test_the_sign_that_links_to_a_heading_is_no_part_of_it():
    page = read("# Guide\n\n## Storage[¶](#storage)\n\nText.\n\n## Retention¶\n\nMore.\n")
    assert [heading.text for heading in page.headings] == ["Guide", "Storage", "Retention"]
    assert "¶" not in page.markdown


def test_a_link_without_text_is_dropped_outside_code():
    page = read(
        "# Guide\n\n[](https://ci.example/build)\n\nText with [a link](https://a.example/).\n\n```\n[](/x)\n```\n"
    )
    assert "ci.example" not in page.markdown
    assert "a link" in page.markdown
    assert "[](/x)" in page.markdown
