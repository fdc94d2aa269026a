"""Answers that look like pages and show us nothing: logins, applications without their JavaScript, empty shells."""

import re

from selectolax.lexbor import LexborHTMLParser

MIN_CONTENT_CHARS = 40
"""Less text than a short sentence is nothing to answer questions from."""

NO_CONTENT = "no content of its own"
LOGIN_WALL = "login wall"
EMPTY_WITHOUT_SCRIPTS = "empty without JavaScript"
NESTED_TOO_DEEPLY = "nested too deeply"

MAX_NESTING = 1_000
"""Elements within elements. Browsers stop at 512; at 100,000, parsers take a minute (measured) or the whole stack."""

_LOGIN_MAX_WORDS = 120
"""A form with a password beside more text than this is a page that happens to have one (a portal's documentation)."""
_NOTICE_MAX_WORDS = 60
"""A page that asks for JavaScript or a login and says more than this shows us something all the same."""

_LOGIN_TITLE = re.compile(
    r"(?:please )?(?:sign|log)[ -]?(?:in|on)\b.*|login\b.*|single sign-on|an(?:melden|meldung)\b.*|einloggen"
    r"|connexion|se connecter|(?:iniciar|inicie|inicio de) sesión|acceso|accedi|entrar|inloggen|logga in|zaloguj się"
    r"|вход|войти|ログイン|登录|登入|로그인",
    re.IGNORECASE,
)
_ACCOUNT_FIELD = 'form input[type="email" i], form input[autocomplete~="username" i], form input[name*="user" i]'
_SCRIPTS_WANTED = re.compile(
    r"(?:enable|requires?|needs?|without|activate|turn on|activer?|aktivier\w*|(?:h?abilit|включ)\w*)"
    r" (?:\w+ ){0,2}javascript"
    r"|javascript (?:\w+ ){0,2}(?:required|disabled|off|enabled|aktivieren|désactivé|deaktiviert)",
    re.IGNORECASE,
)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_NO_MARKUP = re.compile(r"<!--.*?-->|<(script|style|svg|math|template)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_NEVER_NEST = frozenset(
    "area base br col embed hr img input link meta source track wbr p li dt dd option tr td th script style".split()
)
"""Void elements, and those that the next one of their kind closes."""


def is_nested_too_deeply(html: str) -> bool:
    """Whether parsing such markup would cost more than the page is worth. Takes a fraction of the parsing's time."""
    # Icons close their elements in a way of their own and scripts quote markup; most pages need no second look.
    return _nesting(html) > MAX_NESTING and _nesting(_NO_MARKUP.sub("", html)) > MAX_NESTING


def _nesting(html: str) -> int:
    deepest = depth = 0
    for closing, name in _TAG.findall(html):
        if name.lower() not in _NEVER_NEST:
            depth = max(0, depth - 1) if closing else depth + 1
            deepest = max(deepest, depth)
    return deepest


def hidden_by(html: str, title: str, markdown: str) -> str | None:
    """Why a page with this main content shows us nothing, in words fit for counting; None if it does."""
    words = markdown.split()
    if len(words) > _LOGIN_MAX_WORDS:
        return None
    tree = LexborHTMLParser(html)
    if _is_login(tree, title, len(words)):
        return LOGIN_WALL
    has_script = tree.css_first("script") is not None
    if has_script and len(words) <= _NOTICE_MAX_WORDS and _SCRIPTS_WANTED.search(markdown):
        return EMPTY_WITHOUT_SCRIPTS
    if sum(map(len, words)) >= MIN_CONTENT_CHARS:
        return None
    tree.strip_tags(["script", "style", "noscript", "template"])
    shown = "".join(tree.body.text().split()) if tree.body else ""
    return EMPTY_WITHOUT_SCRIPTS if has_script and len(shown) < MIN_CONTENT_CHARS else NO_CONTENT


def _is_login(tree: LexborHTMLParser, title: str, n_words: int) -> bool:
    """A form with a password, or one that asks who it is first and says so in the title."""
    if tree.css_first('input[type="password" i]'):
        return True
    asks_who = n_words <= _NOTICE_MAX_WORDS and _LOGIN_TITLE.fullmatch(title.strip())
    return bool(asks_who) and tree.css_first(_ACCOUNT_FIELD) is not None
