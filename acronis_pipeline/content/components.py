"""The boxes that documentation generators offer to writers, whatever the syntax that names them.

`<TabItem label="Linux">`, `{{< tab "Linux" >}}`, `=== "Linux"` and `:::{tab-item} Linux` are one box: what it shows
above its text, and what goes around it, is decided here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Literal

from acronis_pipeline.content import jsx

Place = Literal["aside", "item", "details", "field", "box", "inline", "silent", "elsewhere", "unknown"]
"""How a reader meets it: a note, one of several (tab, card, step), closed at first, a documented parameter, a frame
without words of its own, a word within a sentence, nothing to read, content of another file, or nobody knows."""

Attributes = Mapping[str, str | None]

_WORDS: Mapping[Place, str] = {
    "aside": "note warning warn tip info information caution danger check important error success question example "
    "abstract summary todo bug failure attention seealso hint callout aside alert admonition banner notice message "
    "remark deprecated versionadded versionchanged deprecation help highlightbox calloutbox infobox quote definition "
    "prerequisites versionremoved beta experimental epigraph pullquote topic rubric sidebar",
    "item": "tab tabitem tabpanel tabscontent step card linkcard feature tile view update griditemcard item steps-item "
    "tabbed ctacard contentcard navcard resource release changelogentry figure codeblock highlightcode tabview "
    "quicklink caseitem cell grouptab",
    "details": "accordion accordionitem accordionpanel accordiontab expandable collapse collapsible details dropdown "
    "expand toggle spoiler disclosure expander faqitem faq question-answer collapsiblecontent togglebox",
    "field": "paramfield responsefield field param parameter property apiparam prop argument attribute option",
    "box": "tabs tabgroup tabset tabbedset accordiongroup accordions steps cardgroup cards columns column col row grid "
    "codegroup codetabs frame panel fragment requestexample responseexample tablist browseronly filetree visibility "
    "contenttabs tabpane tablecontainer container section wrapper div center stack flex group div wrap zone moniker "
    "layout content tabcontent body pane ul ol li folder file accordionheader responsivetable table buttongroup "
    "procedure stepper stepsgroup list mdxlayout hero article main head span collection blocks hide admonitions "
    "fieldset fields properties params parametergroup blockquote capture cardgrid linkgrid apiobject codetabset",
    "inline": "tooltip badge kbd button link a term glossarytooltip abbr mark small sup sub translate trans strong em "
    "b i u s code var del ins highlight pill chip tag label text p heading h1 h2 h3 h4 h5 h6 anchor externallink "
    "intralink doclink linkbutton btn key shortcut guilabel menuselection octicon nobr cite statusbadge versionbadge "
    "version since clilink inlinecode latex math tt",
    "silent": "img image video youtube vimeo embed iframe icon br hr toc doccardlist tableofcontents toctree contents "
    "mermaid script style seo meta sectnum spacer divider separator if else elsif elseif endif unless for endfor case "
    "when endcase assign set break continue ifversion cycle increment tablerow seo feedmeta block extends macro with "
    "liquid import from raw endraw comment end return readmore more breadcrumb breadcrumbs themedimage zoom lightbox "
    "screenshot asciinema gist codesandbox stackblitz tweet audio index index-entries only highlightlang "
    "currentmodule module default-role bibliography automodule meta-data hidden anchor-id loom svg picture source "
    "imagezoom imageblock clear clearfix title subtitle-only cssclass rst-class",
    "elsewhere": "snippet include includerelative partial literalinclude includemarkdown includefile reusable readfile "
    "renderpartial contentref",
}
_PLACES: dict[str, Place] = {word.replace("-", ""): place for place, words in _WORDS.items() for word in words.split()}
_TITLES = (
    "title", "label", "name", "header", "heading", "summary", "question", "tab", "text", "caption",
)  # fmt: skip
_NAMES_OF_FIELDS = ("name", "path", "query", "body", "header", "param", "field", "prop", "cookie", "title")
_KINDS = ("type", "kind", "variant", "intent", "style", "color", "theme", "status", "severity", "level")
_MORE = ("description", "desc", "subtitle", "content", "body", "details", "message", "answer", "tip")
_ADDRESSES = ("href", "to", "url", "link")
_KIND_NAMES = {
    "warn": "Warning", "information": "Info", "primary": "Note", "secondary": "Note", "default": "Note",
    "seealso": "See also", "danger": "Danger", "destructive": "Danger", "success": "Success",
    "versionadded": "Added in version", "versionchanged": "Changed in version", "deprecated": "Deprecated",
    "versionremoved": "Removed in version",
}  # fmt: skip
_WORDS_OF_NOBODY = frozenset(
    "callout aside alert admonition banner notice message remark infobox calloutbox highlightbox topic rubric sidebar "
    "epigraph pullquote".split()
)
"""Names of asides that say nothing of what they are; the others are what a reader sees above them."""
_ENDED = (":", "?", "!", ".", "…")


def place_of(name: str) -> Place:
    """Where a component stands, by the last part of its name in whatever spelling (`Tabs.Tab`, `tab-item`)."""
    return _PLACES.get(normal(name), "unknown")


def normal(name: str) -> str:
    return re.sub(r"[\W_]", "", re.split(r"[.:/](?=\w)", name)[-1]).lower()


@dataclass
class Box:
    """One component as it was written. `words` are what stands behind its name without a name of its own."""

    name: str
    attributes: Attributes = field(default_factory=dict)
    words: str = ""

    @property
    def place(self) -> Place:
        return place_of(self.name)

    def said(self, *names: str) -> str:
        """The first of these attributes that says something a person wrote."""
        values = (self.attributes.get(name) for name in names)
        return next(
            (value.strip() for value in values if value and value.strip() and value not in {"true", "false"}), ""
        )

    def title(self) -> str:
        """What a reader sees above it, without markup; empty if nothing."""
        place = self.place
        if place == "field":
            return self._field()
        if place == "aside":
            return self._aside()
        named = _TITLES if place != "box" else ("title", "label", "heading", "caption")
        title = self.words or self.said(*named)
        if not title and place == "item":
            title = self.said("value")
        return title

    def _aside(self) -> str:
        kind = normal(self.name)
        title = self.words or self.said("title", "label", "heading", "header", "name", "summary")
        if kind in {"versionadded", "versionchanged", "deprecated", "versionremoved"} and title:
            return f"{_KIND_NAMES[kind]} {title}"
        if title:
            return title
        told = normal(self.said(*_KINDS))
        if told in _KIND_NAMES or (place_of(told) == "aside" and told not in _WORDS_OF_NOBODY):
            kind = told
        if kind in _WORDS_OF_NOBODY:
            return ""
        return _KIND_NAMES.get(kind, kind.capitalize())

    def _field(self) -> str:
        name = self.words or self.said(*_NAMES_OF_FIELDS)
        attributes = self.attributes
        notes = [self.said("type")]
        notes += [word for word in ("required", "optional", "deprecated") if attributes.get(word) == "true"]
        default = attributes.get("default") or attributes.get("initialValue")
        notes += [f"default: {default}"] if default else []
        told = ", ".join(note for note in notes if note)
        return f"{name} ({told})" if name and told else name

    def more(self) -> str:
        """What it says below its title in an attribute rather than in its text."""
        if self.place in {"field", "silent"}:
            return self.said("description")
        return self.said(*(name for name in _MORE if name != "body"))

    def address(self) -> str:
        found = self.said(*_ADDRESSES)
        return found if re.fullmatch(r"[^\s<>()]+", found) else ""

    def inline(self) -> str:
        """What a component without text of its own shows within a line."""
        if self.place == "silent":
            return self.said("aria-label") if normal(self.name) == "icon" else ""
        if self.place == "elsewhere":
            return ""
        return self.said(
            "text", "label", "aria-label", "title", "content", *(("children",) if self.place == "inline" else ())
        )

    def names_of_children(self) -> Sequence[str]:
        """What a row of tabs calls them, where they do not say it themselves (`items={['Linux', 'macOS']}`)."""
        for attribute in ("items", "values", "labels", "tabs"):
            found = jsx.literal(self.attributes.get(attribute) or "")
            if isinstance(found, list):
                return [
                    str(one.get("label") or one.get("value") or "") if isinstance(one, dict) else str(one)
                    for one in found
                ]
        return ()

    def names_by_value(self) -> Mapping[str, str]:
        found = jsx.literal(self.attributes.get("values") or "")
        entries = found if isinstance(found, list) else []
        return {
            str(one.get("value")): str(one.get("label") or one.get("value")) for one in entries if isinstance(one, dict)
        }


def lead(title: str) -> str:
    """A title as the bold line that stays with what follows it."""
    title = " ".join(title.split())
    return f"**{title}{'' if title.endswith(_ENDED) else ':'}**" if title else ""


def opened(box: Box) -> list[str]:
    """The lines that stand where the box begins, its title among them; blank lines set them apart."""
    title, more, address = box.title(), box.more(), box.address()
    if box.place == "details" and title:
        # What is closed at first is a section if it can be one: that is decided where pages in HTML are.
        lines = ["", f"<details><summary>{escape(title, quote=False)}</summary>", ""]
    elif title and address:
        lines = ["", lead(f"[{title.replace('[', '(').replace(']', ')')}]({address})"), ""]
    else:
        lines = ["", lead(title), ""] if title else [""]
    return [*lines, more, ""] if more and more != title else lines


def closed(box: Box) -> list[str]:
    return ["", "</details>", ""] if box.place == "details" and box.title() else [""]
