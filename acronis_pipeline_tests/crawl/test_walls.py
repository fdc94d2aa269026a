"""A page is judged by its content: neither what stands beside it nor what it is about makes a wall of it."""

import pytest

from acronis_pipeline.content import extract
from acronis_pipeline.crawl.judging.non_pages import (
    EMPTY_WITHOUT_SCRIPTS,
    LOGIN_WALL,
    hidden_by,
    says_not_found,
)

FORM = (
    '<form action="/user/login"><label>User <input name="name"></label><label>Password'
    ' <input type="password"></label>'
    '<input type="submit" value="Log in"> <a href="/forgot">Forgot your password?</a></form>'
)
ARTICLE = (
    "<h1>Reset a licence</h1><p>A licence is reset from the console: open Licences, choose the machine and press "
    "Reset. The machine keeps its backups.</p>"
)


def judged(body: str, title: str = "Reset a licence") -> str | None:
    html = f"<html lang=en><head><title>{title}</title><script src=x.js></script></head><body>{body}</body></html>"
    content = extract(html, url="http://h.example/x")
    return "soft 404" if says_not_found(content) else hidden_by(html, content.title, content.markdown)


@pytest.mark.parametrize(
    "beside",
    [
        f"<header>{FORM}</header>",
        f"<footer>{FORM}</footer>",
        f"<aside>{FORM}</aside>",
        f"<nav><ul><li>{FORM}</ul></nav>",
        f"<dialog>{FORM}</dialog>",
        f'<div class="modal fade" id="loginModal"><div class="modal-body">{FORM}</div></div>',
        f'<div class="sidebar">{FORM}</div>',
        f'<div id="user-login-block">{FORM}</div>',
        f'<div class="dropdown-menu">{FORM}</div>',
        f"<div hidden>{FORM}</div>",
        f'<div role="dialog">{FORM}</div>',
        f"<div>{FORM}</div>",
    ],
)
@pytest.mark.parametrize(
    "content", [f"<main>{ARTICLE}</main>", f"<div>{ARTICLE}</div>", f"<article>{ARTICLE}</article>"]
)
def test_a_form_beside_the_content_is_no_wall(beside: str, content: str) -> None:
    assert judged(beside + content) is None
    assert judged(content + beside) is None


@pytest.mark.parametrize(
    ("body", "title"),
    [
        (f"<main><h1>Sign in</h1>{FORM}</main>", "Sign in | Example"),
        (f"<div><h1>Customer portal</h1><p>Welcome back to the portal.</p>{FORM}</div>", "Customer portal"),
        (f"<h1>Anmelden</h1><p>Bitte geben Sie Ihre Zugangsdaten ein.</p>{FORM}", "Anmelden"),
        (f"<main></main><div class=modal>{FORM}</div>", "Example"),
        (
            f"<header>{FORM}</header><main><p>You must be logged in to view this article. No account yet? Ask your "
            "administrator for one.</p></main>",
            "Reset a licence",
        ),
        ('<main><h1>Sign in</h1><form><input type="email" name="user"><button>Next</button></form></main>', "Sign in"),
    ],
)
def test_a_form_in_place_of_content_is_one(body: str, title: str) -> None:
    assert judged(body, title) == LOGIN_WALL


@pytest.mark.parametrize(
    ("title", "text"),
    [
        (
            "Enable JavaScript",
            "The console needs a browser with scripts. In Chrome open Settings, choose Privacy, and "
            "turn on JavaScript under Site settings.",
        ),
        (
            "The console requires JavaScript",
            "The console requires JavaScript. Open the settings of your browser, allow "
            "scripts for the address of the management server, and load the console again.",
        ),
        ("Cookies", "The console keeps one cookie for the session and another one for the language that was chosen."),
        (
            "Log in to the console",
            "Enter the name of the administrator and the password that you chose at installation.",
        ),
        (
            "Error 404",
            "Error 404 means that the agent asked for an archive which the vault does not know any more. Run a "
            "full backup to create it anew.",
        ),
        (
            "Page not found",
            "Restart the management server when this appears in the console after an update, and wait for "
            "two minutes until all services are up again.",
        ),
        ("CAPTCHA", "After five wrong passwords the console shows a picture with letters, which must be typed in."),
    ],
)
def test_an_article_about_walls_is_an_article(title: str, text: str) -> None:
    assert judged(f"<header>{FORM}</header><main><h1>{title}</h1><p>{text}</p></main>", title) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<p>You need to enable JavaScript to run this app.</p>", EMPTY_WITHOUT_SCRIPTS),
        ("<h1>Docs</h1><p>Please enable JavaScript to continue using this application.</p>", EMPTY_WITHOUT_SCRIPTS),
        (
            "<h1>Page not found</h1><p>Sorry, the page you are looking for was moved or removed. Check the "
            "address, try the search, or go back to the home page and browse the topics there.</p>",
            "soft 404",
        ),
        ("<h1>404</h1><p>This page does not exist.</p>", "soft 404"),
    ],
)
def test_a_notice_is_a_notice(text: str, found: str) -> None:
    assert judged(f"<main>{text}</main>", "Docs") == found
