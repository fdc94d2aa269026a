"""What documentation generators add to Markdown: names of boxes stay, code stays code, the rest goes or is counted."""

# ruff: noqa: E501
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.content import Content, extract
from acronis_pipeline.content.markdown_page import NOT_UNDERSTOOD, to_html


def read(text: str) -> Content:
    return extract(to_html(text), url="https://docs.example.com/guide.mdx")


def not_understood(page: Content) -> str:
    return ", ".join(said for one in page.removed if one.rule == NOT_UNDERSTOOD for said in one.samples)


DOCUSAURUS = """---
title: Start a backup
---
import Tabs from '@theme/Tabs';
import {
  Badge,
  Note,
} from '@site/src/components';

<Tabs groupId="os">
<TabItem value="linux" label="Linux">

Run `stowctl backup start` as root.

</TabItem>
<TabItem value="win" label="Windows">

Open **Services** and start *Stowage Agent*.

</TabItem>
</Tabs>

{/* TODO(editors): check the Windows name before the launch */}

export const limits = {
  machines: 500,
};

A vault holds {limits.machines} machines.
"""


def test_tabs_of_docusaurus_have_names_and_modules_and_comments_are_gone():
    assert read(DOCUSAURUS).markdown == (
        "# Start a backup\n\n**Linux:**\n\nRun `stowctl backup start` as root.\n\n**Windows:**\n\n"
        "Open **Services** and start *Stowage Agent*.\n\nA vault holds 500 machines."
    )


MINTLIFY = """<AccordionGroup>
  <Accordion title="How long are backups kept?">
    Thirty days, unless the policy says otherwise.
  </Accordion>
</AccordionGroup>

<Steps>
  <Step title="Create an API key">
    Open Settings and choose Keys.
  </Step>
</Steps>

<ParamField body="retention_days" type="integer" default="30" required>
  Days to keep a recovery point.
</ParamField>

<Tabs>
  <Tab title="Linux">
    ```bash
    apt install stowage
    ```
  </Tab>
</Tabs>
"""


def test_components_of_mintlify_keep_questions_steps_parameters_and_code():
    assert read(MINTLIFY).markdown == (
        "## How long are backups kept?\n\nThirty days, unless the policy says otherwise.\n\n**Create an API key:**\n\n"
        "Open Settings and choose Keys.\n\n**retention_days (integer, required, default: 30):**\n\n"
        "Days to keep a recovery point.\n\n**Linux:**\n\n```bash\napt install stowage\n```"
    )


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        # boxes that components make
        ("<Callout type='warning'>\n  Hot.\n</Callout>\n", "**Warning:**\n\nHot."),
        ("<Note>Hot.</Note>\n", "**Note:**\n\nHot."),
        (':::tip\nHot.\n:::\n\n<Aside type="caution" title="Careful">Hot.</Aside>', "**Tip:**\n\nHot.\n\n**Careful:**\n\nHot."),
        (
            '<Card\n  title="API"\n  href="/api"\n  onClick={() => go(1 > 0)}\n/>\n\nText.\n',
            "**API:**\n\nText.",
        ),
        (
            "<Tabs items={['pnpm', 'npm']}>\n  <Tabs.Tab>Fast.</Tabs.Tab>\n  <Tabs.Tab>Old.</Tabs.Tab>\n</Tabs>\n",
            "**pnpm:**\n\nFast.\n\n**npm:**\n\nOld.",
        ),
        (
            "<Tabs\n  values={[\n    {label: 'Apple', value: 'a'},\n    {label: 'Pear', value: 'p'},\n  ]}>\n"
            '<TabItem value="a">One.</TabItem>\n<TabItem value="p">Two.</TabItem>\n</Tabs>\n',
            "**Apple:**\n\nOne.\n\n**Pear:**\n\nTwo.",
        ),
        (
            '1. Do this\n\n   <Warning>\n     It is erased.\n   </Warning>\n\n2. Do that\n',
            "1. Do this\n\n   **Warning:**\n\n   It is erased.\n\n2. Do that",
        ),
        (
            '<CodeGroup>\n```bash npm\nnpm i\n```\n\n```bash pnpm theme={null}\npnpm i\n```\n</CodeGroup>\n',
            "**npm:**\n\n```bash\nnpm i\n```\n\n**pnpm:**\n\n```bash\npnpm i\n```",
        ),
        (
            '<ResponseField name="user" type="object">\n  Who.\n  <Expandable title="More">\n    '
            '<ResponseField name="id" type="string">Its id.</ResponseField>\n  </Expandable>\n</ResponseField>\n',
            "**user (object):**\n\nWho.\n\n**More:**\n\n**id (string):**\n\nIts id.",
        ),
        ('The <Tooltip tip="Recovery point objective">RPO</Tooltip> <Badge text="New" /> counts.\n',
         "The RPO (Recovery point objective) New counts."),
        ("<Frame caption=\"The console\">\n  <img src='/x.png' />\n</Frame>\n\nText.\n", "**The console:**\n\nText."),
        ("<div className='row' style={{ margin: 1 }}>\n  <div>\n    Left *text*.\n  </div>\n</div>\n<Note>a</Note>\n",
         "Left *text*.\n\n**Note:**\n\na"),
        # code
        ('```js title="src/x.js" {1,3-4} showLineNumbers\nconst a = <Tab>; // {/* no */}\n```\n',
         "**src/x.js:**\n\n```js\nconst a = <Tab>; // {/* no */}\n```"),
        ("::: code-group\n\n```sh [npm]\nnpm i\n```\n:::\n", "**npm:**\n\n```sh\nnpm i\n```"),
        ('{{< highlight go "linenos=table" >}}\nfunc main() {}\n{{< /highlight >}}\n', "```go\nfunc main() {}\n```"),
        ("{% highlight ruby %}\nputs 1\n{% endhighlight %}\n", "```ruby\nputs 1\n```"),
        ("```{code-block} python\n:caption: file.py\n\nprint()\n```\n", "**file.py:**\n\n```python\nprint()\n```"),
        ("Set `<Tab title='x'>` and `{{< x >}}`.\n\n<Note>a</Note>\n", "Set `<Tab title='x'>` and `{{< x >}}`.\n\n**Note:**\n\na"),
        # what is no component
        ("Replace <YOUR_KEY> in Array<String>, {id} stays.\n", "Replace <YOUR_KEY> in Array<String>, {id} stays."),
        ("import the list, then export it.\n\nexport PATH=/x\n", "import the list, then export it.\n\nexport PATH=/x"),
        # boxes in words, colons, tags
        ("!!! note\n    Hot.\n\n    !!! danger \"Inner\"\n        Deep.\n", "**Note:**\n\nHot.\n\n**Inner:**\n\nDeep."),
        ('=== "Linux"\n\n    apt\n\n    === "Debian"\n        deb\n\n=== "macOS"\n\n    brew\n',
         "**Linux:**\n\napt\n\n**Debian:**\n\ndeb\n\n**macOS:**\n\nbrew"),
        ('??? question "How long is it kept?"\n    Thirty days.\n', "## How long is it kept?\n\nThirty days."),
        (":::note[My *title*]{.x}\nHot.\n:::\n", "**My *title*:**\n\nHot."),
        ("::::tabs\n:::tab Linux\napt\n:::\n:::tab{label=\"mac\"}\nbrew\n:::\n::::\n", "**Linux:**\n\napt\n\n**mac:**\n\nbrew"),
        (":::{admonition} Title\n:class: tip\nHot.\n:::\n", "**Title:**\n\nHot."),
        ("```{warning} Careful\n:class: x\n\nBody *here*.\n\n~~~bash\nls\n~~~\n```\n",
         "**Careful:**\n\nBody *here*.\n\n```bash\nls\n```"),
        ("> [!WARNING]\n> Hot.\n", "> **Warning:** Hot."),
        ("> [!info]- A title\n> Hot.\n", "> **A title:** Hot."),
        ('{% tabs %}\n{% tab title="Linux" %}\napt\n{% endtab %}\n{% endtabs %}\n', "**Linux:**\n\napt"),
        ('{% hint style="info" %}\nHot.\n{% endhint %}\n', "**Info:**\n\nHot."),
        ('{{< tabs name="x" >}}\n{{% tab "Two" %}}\ntwo\n{{% /tab %}}\n{{< /tabs >}}\n', "**Two:**\n\ntwo"),
        ('{{< note >}}\nA {{< glossary_tooltip text="Pod" term_id="pod" >}}.\n{{< /note >}}\n', "**Note:**\n\nA Pod."),
        ('{% include important.html content="Hot." %}\n', "**Important:**\n\nHot."),
        ('{% callout type="warning" title="Careful" %}\nHot.\n{% /callout %}\n', "**Careful:**\n\nHot."),
        ("{: .note }\nHot.\n", "**Note:** Hot."),
        ("/// warning | Careful\nHot.\n///\n", "**Careful:**\n\nHot."),
        ("# [Windows](#tab/win)\n\nwin\n", "**Windows:**\n\nwin"),
        (".. note:: Hot\n   and hotter.\n\nText.\n", "**Note:**\n\nHot\nand hotter.\n\nText."),
        # the rest
        ("a <!-- b\n\n:::note\n--> c\n", "a c"),
        ("{% raw %}{{ x }}{% endraw %} {# gone #} {% if a %}b{% endif %}\n", "{{ x }} b"),
        ("[a]({{ site.baseurl }}/x) [b]({{< ref \"p.md\" >}}){ .md-button }\n", "a b"),
        ("[[Page|label]], [[Folder/Page#Part]] ![[pic.png]]==high== a == b ^note-1\n", "label, Page > Part high a == b"),
        ("Note[^1].\n\n[^1]: said\n", "Note.\n\nsaid"),
        ("Apple\n: A fruit.\n\nPear\n: Another.\n", "- **Apple**: A fruit.\n\n- **Pear**: Another."),
        ("See {ref}`the page <x>`, :doc:`this </y>` and {py:func}`~os.path.join`.\n", "See the page, this and `join`."),
        ("[TOC]\n\n(label)=\nText.\n", "Text."),
        ("    indented <Tab> code\n", "```\nindented <Tab> code\n```"),
    ],
)  # fmt: skip
def test_what_generators_add_reads_as_on_their_pages(text, markdown):
    page = read("---\ntitle: T\n---\n" + text)
    assert page.markdown.removeprefix("# T").lstrip("\n") == markdown


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("<Snippet file='x.mdx' />\n\n<Plans /> Text of it.\n", "Plans, Snippet"),
        ("<Note>a</Note>\n\n{rows.map(row => <li>{row}</li>)} and {version}.\n", "expression (2)"),
        ("Version {{ release }} of [!INCLUDE [x](y.md)]\n", "variable"),
        (":::unheard-of\nText.\n:::\n", "unheard-of"),
        ("![[Other page]] Text.\n", "embed"),
        (".. automodule:: foo\n\nText.\n", "automodule"),
    ],
)
def test_what_only_its_generator_knows_is_counted(text, counted):
    assert not_understood(read(text)) == counted


def test_the_description_of_a_page_is_part_of_it_once():
    assert read("---\ntitle: T\ndescription: How to do it.\n---\nText.\n").markdown == "# T\n\nHow to do it.\n\nText."
    assert read("---\ntitle: T\ndescription: How to do it.\n---\nHow to do it.\n").markdown == "# T\n\nHow to do it."


_PIECES = st.sampled_from(
    """<Tab title="a">|</Tab>|<Tabs>|</Tabs>|<Note>|</Note>|<X a={|{/*|*/}|<!--|-->|```|```js|:::note|:::|!!! note|{{< tab "a" >}}
    |{{< /tab >}}|{% tab %}|{% endtab %}|    | |word|[[|]]|> [!NOTE]|- |1. |`|{|}|import a from 'b'|export const a = {|.. note::|# a|""".replace(
        "\n", ""
    ).split("|")
)


@given(st.lists(st.tuples(_PIECES, st.sampled_from(["", " ", "\n", "\n\n"])), max_size=30))
def test_whatever_stands_in_a_page_makes_a_document(pieces):
    text = "".join(piece + space for piece, space in pieces)
    html = to_html(text)
    assert html.endswith("</html>")
    assert "\ue010" not in html
