"""Answers that look like pages and are none.

Pages that say "not found" while the status says 200, and sites that send every unknown address to one page; logins,
applications without their JavaScript, empty shells.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

from acronis_pipeline.content import Content, clutter, extract
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.crawl.fetching.fetch import Ask, Fetcher, FetchError, RedirectRefusedError
from acronis_pipeline.crawl.fetching.scope import Scope
from acronis_pipeline.crawl.judging.formats import decode_html

_log = logging.getLogger(__name__)

SOFT_404 = "soft 404"
NO_CONTENT = "no content of its own"
LOGIN_WALL = "login wall"
EMPTY_WITHOUT_SCRIPTS = "empty without JavaScript"
NESTED_TOO_DEEPLY = "nested too deeply"

SIMILARITY = 0.9
"""Jaccard similarity of word triples from which a page is the site's "not found" page: they differ in a search box's
suggestions, real pages of one template differ in their whole text."""

_MIN_TRIPLES = 5
"""Of the learnt page; with less text there is nothing to compare (an application's empty shell)."""
_MAX_WORDS = 80
"""A page that says "not found" in its title and then this much more is about the error (support articles are)."""
_MAX_WORDS_OF_NUMBER = 30
"""The same for a title that is only "404", which says less."""

_MIN_ECHO_CHARS = 4
"""Shorter paths are parts of words."""

_DECORATION = re.compile(
    r"\b(?:404|http|error|fehler|erreur|errore|fout|code|oops|sorry|ooops|whoops)\b", re.IGNORECASE
)
_TITLE_PARTS = re.compile(r"\s+[|–—·•:»-]\s+|:\s+")

MIN_CONTENT_CHARS = 40
"""Less text than a short sentence is nothing to answer questions from."""

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
_MEMBERS_ONLY = re.compile(
    r"(?:(?:must|need to|have to) be (?:logged|signed) in|(?:log|sign) in)(?: first)? (?:in order )?to"
    r" (?:view|access|see|read|open) (?:this|the) (?:page|article|content|document|topic)"
    r"|this (?:page|article|content|document|topic) is (?:only )?(?:available|visible|open) (?:only )?(?:to|for)"
    r" (?:registered|logged|signed|members|customers)",
    re.IGNORECASE,
)
_SAID_WORDS = 12
"""Fewer words beside a form or a notice say nothing of their own."""
_LEAD_WORDS = 3
"""Before what a sentence is about: "Please", "You need to"; shorter sentences are links and labels."""
_BESIDE = frozenset({"header", "footer", "aside", "nav", "dialog", "template", "noscript"})
_BESIDE_NAME = re.compile(
    rf"{clutter.NAMES.pattern}"
    r"|.*(?:modal|pop-?up|off-?canvas|drawer|drop-?down|masthead|side-?bar|top-?bar|tool-?bar)\b.*"
    r"|(?:\w+[-_])*(?:log-?in|sign-?in|user-?login)[-_](?:box|block|widget|menu|bar|link|panel)(?:[-_]\w+)*"
    r"|(?:page|site|top)-?header"
)
"""Of elements beside the content, or that open over it."""
_HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)
_HEADING_LINE = re.compile(r"^#{1,6} .*$", re.MULTILINE)
_SENTENCE_ENDS = re.compile(r"[.!?:;]\s+|\n+|[.!?:;]$")
_ENGLISH = frozenset("the is to you and of a in it this that for was with if when".split())
_MIN_ENGLISH = 3
_EXPLAINING_WORDS = 12
_EXCUSE = re.compile(
    r"\b(?:pages?|url|link|links|address|site|website|search|home|homepage|looking for|requested|moved|removed|deleted"
    r"|typed|mistyped|sorry|oops|go back|return|navigate|navigation|browse|explore|popular|menu|not found|not exist"
    r"|contact us|verify|human|robot|blocked|ray id|cloudflare|permission|permitted|administrator|unavailable)\b",
    re.IGNORECASE,
)
"""What pages speak of that say that there is none, or that we may not see it."""
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_NO_MARKUP = re.compile(r"<(?:!--|(script|style|svg|math|template)\b)", re.IGNORECASE)
_NEVER_NEST = frozenset(
    "area base br col embed hr img input link meta source track wbr p li dt dd option tr td th script style".split()
)
"""Void elements, and those that the next one of their kind closes."""


def _plain(title: str) -> str:
    """In lower case, without punctuation and without "Error 404"."""
    return " ".join(re.sub(r"[^\w\s]|_", " ", _DECORATION.sub(" ", title.casefold())).split())


_SENTENCES = frozenset(
    _plain(sentence)
    for sentence in """
    page not found · file not found · content not found · article not found · document not found · not found
    the page was not found · the page cannot be found · the page could not be found · page cannot be found
    this page could not be found · page could not be found · the page you requested was not found
    the page you are looking for was not found · the page you requested could not be found
    page does not exist · this page does not exist · this page doesn t exist · the page does not exist
    we can t find that page · we can t find this page · we couldn t find that page · we couldn t find this page
    page not available · this page is not available · this page isn t available · page no longer exists
    seite nicht gefunden · seite wurde nicht gefunden · die seite wurde nicht gefunden · seite existiert nicht
    die angeforderte seite wurde nicht gefunden · seite leider nicht gefunden · diese seite existiert nicht
    page introuvable · page non trouvée · la page demandée est introuvable · cette page n existe pas
    página no encontrada · la página no existe · página no disponible · no se encontró la página
    página não encontrada · a página não existe · essa página não existe · pagina non trovata · la pagina non esiste
    pagina niet gevonden · deze pagina bestaat niet · sidan hittades inte · sidan kunde inte hittas
    siden blev ikke fundet · siden ble ikke funnet · siden finnes ikke · sivua ei löydy · sivua ei löytynyt
    strona nie została znaleziona · nie znaleziono strony · strona nie istnieje · stránka nenalezena
    stránka nebyla nalezena · stránka sa nenašla · az oldal nem található · oldal nem található
    pagina nu a fost găsită · sayfa bulunamadı · η σελίδα δεν βρέθηκε · страница не найдена · страница не существует
    сторінку не знайдено · страницата не е намерена · ページが見つかりません · ページが見つかりませんでした
    お探しのページは見つかりませんでした · ページが存在しません · 找不到页面 · 找不到该页面 · 页面不存在 · 页面未找到
    找不到頁面 · 找不到網頁 · 頁面不存在 · 페이지를 찾을 수 없습니다 · الصفحة غير موجودة · לא נמצא הדף · הדף לא נמצא
    trang không tồn tại · không tìm thấy trang · halaman tidak ditemukan · ไม่พบหน้านี้
    """.replace("\n", "·").split("·")
) - {""}


@dataclass(frozen=True)
class SoftNotFound:
    """What the site answers for addresses that do not exist, where that is no 404.

    `triples` are the word triples of its page, `redirect` is where it sends them. `start` is the start page, which
    exists even where every unknown address shows it.
    """

    triples: frozenset[int] = frozenset()
    redirect: str | None = None
    start: str | None = None

    def is_like(self, content: Content, url: str) -> bool:
        """Whether the page at `url` is the site's own way of saying that there is none, or says so itself."""
        if url == self.start:
            return False
        if self.triples and _similarity(self.triples, _triples(content, url)) >= SIMILARITY:
            return True
        return says_not_found(content)


NOTHING_LEARNT = SoftNotFound()


async def learn(fetcher: Fetcher, scope: Scope, allows: Callable[[str], bool], start: str | None) -> SoftNotFound:
    """Ask for one address that cannot exist, and remember the answer if it is not an honest 404.

    Parameters
    ----------
    allows
        What robots.txt says; nothing is asked for, nor learnt, where it forbids.
    start
        The start page, after redirects.
    """
    folder = scope.prefix[: scope.prefix.rfind("/") + 1]
    # Always the same one: in a server's log it explains itself, and its cache need not hold another one each night.
    url = f"{scope.origin}{folder}no-such-page-{digest(scope.origin)[:12]}"
    if scope.why_not(url) or not allows(url):
        return NOTHING_LEARNT
    try:
        answer = await fetcher.get(url, Ask(hop=scope.redirect, reads=lambda media_type: media_type == "text/html"))
    except (FetchError, RedirectRefusedError) as error:
        _log.info("crawl: what the site answers for pages that do not exist is unknown (%s)", error)
        return NOTHING_LEARNT
    if answer.status != 200 or answer.truncated:
        return NOTHING_LEARNT
    if answer.url != url:
        _log.info("crawl: the site sends unknown addresses to %s; such redirects count as absent", answer.url)
        return SoftNotFound(redirect=answer.url)
    content = extract(decode_html(answer.body, answer.content_type), url=url)
    triples = _triples(content, url)
    if len(triples) < _MIN_TRIPLES:
        return NOTHING_LEARNT
    _log.info("crawl: the site answers 200 for pages that do not exist (%r); such pages count as absent", content.title)
    return SoftNotFound(triples, start=start)


def says_not_found(content: Content) -> bool:
    """Whether a short page's title or first heading is, as a whole, the sentence "page not found" in some language."""
    n_words = len(content.markdown.split(maxsplit=_MAX_WORDS))
    if n_words > _MAX_WORDS:
        return False
    believed_up_to = 0
    for title in (content.title, *(heading.text for heading in content.headings[:1])):
        if any(_plain(part) in _SENTENCES for part in (title, *_TITLE_PARTS.split(title))):
            believed_up_to = _MAX_WORDS
        elif "404" in title and not _plain(title):
            believed_up_to = max(believed_up_to, _MAX_WORDS_OF_NUMBER)
    return bool(believed_up_to) and n_words <= believed_up_to and not explains(content.markdown)


def _triples(content: Content, url: str) -> frozenset[int]:
    """Hashes of three words in a row, without the address: such pages like to repeat what was asked for."""
    path = unquote(urlsplit(url).path).lower()
    text = f"{content.title} {content.markdown}".lower()
    for echo in (url.lower(), path, path.strip("/"), path.rstrip("/").rsplit("/", 1)[-1]):
        text = text.replace(echo, " ") if len(echo) >= _MIN_ECHO_CHARS else text
    words = re.findall(r"\w+", text)
    return frozenset(hash(triple) for triple in zip(words, words[1:], words[2:], strict=False))


def _similarity(one: frozenset[int], other: frozenset[int]) -> float:
    return len(one & other) / max(len(one | other), 1)


def is_nested_too_deeply(html: str) -> bool:
    """Whether parsing such markup would cost more than the page is worth. Takes a fraction of the parsing's time."""
    # Icons close their elements in a way of their own and scripts quote markup; most pages need no second look.
    return _nesting(html) > MAX_NESTING and _nesting(_without_quoted_markup(html)) > MAX_NESTING


def _without_quoted_markup(html: str) -> str:
    """Without comments, scripts, styles and pictures; what does not end is looked for once."""
    kept: list[str] = []
    endless: set[str] = set()
    position = 0
    while opening := _NO_MARKUP.search(html, position):
        name = (opening[1] or "").lower()
        closing = None if name in endless else _end_of(name).search(html, opening.end())
        if closing is None:
            endless.add(name)
        kept.append(html[position : opening.start() if closing else opening.end()])
        position = closing.end() if closing else opening.end()
    return "".join([*kept, html[position:]])


def _end_of(name: str) -> re.Pattern[str]:
    return re.compile(rf"</{name}\s*>" if name else "-->", re.IGNORECASE)


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
    n_chars = sum(map(len, words))
    if _is_login(tree, title, markdown):
        return LOGIN_WALL
    has_script = tree.css_first("script") is not None
    if has_script and len(words) <= _NOTICE_MAX_WORDS and _only_wants_scripts(markdown):
        return EMPTY_WITHOUT_SCRIPTS
    if n_chars >= MIN_CONTENT_CHARS:
        return None
    tree.strip_tags(["script", "style", "noscript", "template"])
    shown = "".join(tree.body.text().split()) if tree.body else ""
    return EMPTY_WITHOUT_SCRIPTS if has_script and len(shown) < MIN_CONTENT_CHARS else NO_CONTENT


def _is_login(tree: LexborHTMLParser, title: str, markdown: str) -> bool:
    """Whether a form that asks who one is stands in the place of content, not beside it (in a header, say)."""
    passwords = tree.css('input[type="password" i]')
    if passwords and (len("".join(markdown.split())) < MIN_CONTENT_CHARS or _MEMBERS_ONLY.search(markdown)):
        return True
    content = tree.css_first("main, [role=main]") or tree.css_first("article")
    content = content if content is not None and len(content.text().split()) >= _SAID_WORDS else None
    asked = [field for field in passwords if not _is_beside(field, content)]
    n_words = len(markdown.split())
    titles = [title.strip(), *_HEADING.findall(markdown)[:1]]
    says_login = any(map(_LOGIN_TITLE.fullmatch, titles))
    if not asked:
        fields = tree.css(_ACCOUNT_FIELD) if says_login and n_words <= _NOTICE_MAX_WORDS else []
        return any(not _is_beside(field, content) for field in fields)
    return says_login or n_words - _n_words_of_form(asked[0]) < _SAID_WORDS


def _is_beside(field: LexborNode, content: LexborNode | None) -> bool:
    """Whether a field stands beside the content, or in a window that opens over it."""
    node, inside = field.parent, content is None
    while node is not None:
        if content is not None and node.mem_id == content.mem_id:
            inside = True
        attributes = node.attributes
        names = [*(attributes.get("class") or "").split(), attributes.get("id") or ""]
        hidden = "hidden" in attributes or attributes.get("aria-hidden") == "true"
        if hidden or node.tag in _BESIDE or attributes.get("role") in clutter.ROLES:
            return True
        if node.tag not in {"body", "html"} and any(map(_BESIDE_NAME.fullmatch, map(str.lower, names))):
            return True
        node = node.parent
    return not inside


def _n_words_of_form(field: LexborNode) -> int:
    node: LexborNode | None = field
    while node is not None and node.tag != "form":
        node = node.parent
    return len(node.text(separator=" ").split()) if node is not None else 0


def _only_wants_scripts(markdown: str) -> bool:
    """Whether a text is nothing but a request to enable JavaScript, unlike one that says how that is done."""
    rest = 0
    for sentence in _SENTENCE_ENDS.split(_HEADING_LINE.sub("", markdown)):
        match = _SCRIPTS_WANTED.search(sentence)
        if not match or len(sentence[: match.start()].split()) > _LEAD_WORDS:
            rest += len(sentence.split())
    return rest < _SAID_WORDS and bool(_SCRIPTS_WANTED.search(markdown))


def explains(text: str) -> bool:
    """Whether a text under the title of an error says something of it, rather than excuse itself and lead elsewhere.

    Only of English texts; of others nothing is known.
    """
    if len(set(re.findall(r"[a-z]+", text.lower())) & _ENGLISH) < _MIN_ENGLISH:
        return False
    own = (sentence.split() for sentence in _SENTENCE_ENDS.split(text) if not _EXCUSE.search(sentence))
    return sum(len(words) for words in own if len(words) > _LEAD_WORDS) >= _EXPLAINING_WORDS
