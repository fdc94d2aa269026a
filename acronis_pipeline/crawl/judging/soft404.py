"""Pages that say "not found" while the status says 200, and sites that send every unknown address to one page."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from acronis_pipeline.content import Content, extract
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.crawl.fetching.fetch import Ask, Fetcher, FetchError, RedirectRefusedError
from acronis_pipeline.crawl.fetching.scope import Scope
from acronis_pipeline.crawl.judging.formats import decode_html

_log = logging.getLogger(__name__)

SOFT_404 = "soft 404"

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
    return believed_up_to > 0 and n_words <= believed_up_to


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
