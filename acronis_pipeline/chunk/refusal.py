"""Pages that answer nothing: why a page gets no passages."""

import re

from acronis_pipeline.content import Content
from acronis_pipeline.content.markdown import heading_of, lines_with_fences

_STUB_WORDS = 5
_ERROR_PAGE_WORDS = 120
_ERROR_PAGE = re.compile(
    r"(?:error\W*)?(?:404|410)(?:\W*(?:error|gone|(?:page |file )?not found))?\W*"
    r"|(?:page |file )?not found(?:\W*404)?\W*|page (?:unavailable|does not exist|doesn't exist)\W*"
    r"|(?:sorry\W+)?(?:this|the|that) page (?:was not found|doesn't exist|does not exist|no longer exists)\W*"
    r"|(?:sorry\W+)?(?:this|the|that) page (?:can't|cannot|could not|couldn't) be found\W*"
    r"|oops\W.*|access denied\W*|(?:403\W*)?forbidden\W*|just a moment\W*|attention required\W.*",
    re.IGNORECASE,
)
"""The whole title: "Error 404 while browsing backups" is a page about one."""


def refusal(page: Content) -> str | None:
    """ "empty", "stub" (fewer than five words below the headings), "soft 404" (an error page sent with status 200)."""
    body = [line for line, in_fence in lines_with_fences(page.markdown) if in_fence or heading_of(line) is None]
    words = re.findall(r"\w+", " ".join(body))
    if not words and not page.headings:
        return "empty"
    titles = [page.title, *(heading.text for heading in page.headings[:1])]
    if len(words) < _ERROR_PAGE_WORDS and any(_ERROR_PAGE.fullmatch(title.replace("’", "'")) for title in titles):
        return "soft 404"
    return "stub" if len(words) < _STUB_WORDS else None
