"""Realistic cluttered pages, put together from named parts."""

URL = "https://docs.example.com/guide/restore/"

HEAD = """<title>Restore a whole machine | Example Backup Docs</title>
<meta property="og:site_name" content="Example Backup Docs"><meta name="Robots" content="Index, FOLLOW">
<link rel="canonical" href="/guide/restore">"""

COOKIE_BANNER = """<div id="onetrust-consent-sdk" class="cookie-consent"><h2>We value your privacy</h2>
<p>We use cookies to make the site better. <a href="/cookies">Policy</a></p><button>Accept all</button></div>"""

NAVIGATION = """<header><a class="logo" href="/"><h1>Example</h1></a><nav><ul><li><a href="/guide/">Guide</a></li>
<li><a href="../backup/#top">Backup</a></li><li><a rel="nofollow" href="/login">Sign in</a></li></ul></nav></header>
<div class="breadcrumbs"><a href="/">Home</a> › <a href="/guide/">Guide</a></div>"""

FOOTER = """<footer>© 2026 Example <a href="/legal">Legal</a><p>Last updated on 3 May 2026</p></footer>"""

BODY = """<h1>Restore a whole machine<a class="headerlink" href="#restore">¶</a></h1>
<p class="last-updated">Last updated on May 3, 2026</p>
<p>Bare-metal restore puts a <em>complete</em> machine back, disks and all.</p>
<div><p>In this article</p><ul><li><a href="#steps">Steps</a></li><li><a href="#faq">Questions</a></li></ul></div>
<section id="steps"><h2>Steps</h2><ol><li>Boot from the media.</li><li>Pick a backup:
<pre><code class="language-bash"># not a heading
acroctl list --all</code></pre></li></ol>
<aside class="note"><p>Needs a licence.</p></aside></section>
<h2><a href="#platforms" aria-hidden="true" class="anchor"></a>Platforms</h2>
<table><thead><tr><th>System</th><th>Supported</th></tr></thead>
<tbody><tr><td>Linux</td><td><img src="/yes.png" alt="Yes"></td></tr></tbody></table>
<h2>Related articles</h2><ul><li><a href="/guide/x">Restore a file</a></li>
<li><a href="/guide/y">Restore mail</a></li></ul>
<div class="feedback-widget"><p>Was this page helpful?</p><button>Yes</button><button>No</button></div>"""


def page(
    body: str = BODY,
    *,
    head: str = HEAD,
    before: str = COOKIE_BANNER + NAVIGATION,
    after: str = FOOTER,
    wrapper: str = "main",
    language: str = "en-US",
) -> str:
    """A whole page around `body`."""
    return (
        f'<!doctype html><html lang="{language}"><head>{head}</head><body class="has-sidebar">{before}'
        f"<{wrapper}>{body}</{wrapper.split()[0]}>{after}</body></html>"
    )
