"""The HTML document that is made from a page of another format; `extract` finds its content in `main`."""

from html import escape


def html_document(*, title: str, body: str, heading: str = "", language: str = "", hidden: bool = False) -> str:
    """`body` is HTML; `heading` goes before it as the page's h1; a `hidden` page asks not to be indexed."""
    lang = f' lang="{escape(language)}"' if language else ""
    robots = "<meta name=robots content=noindex>" if hidden else ""
    h1 = f"<h1>{escape(heading)}</h1>\n" if heading else ""
    return (
        f"<!doctype html>\n<html{lang}><head><meta charset=utf-8><title>{escape(title)}</title>{robots}</head>"
        f"<body><main>\n{h1}{body}\n</main></body></html>"
    )
