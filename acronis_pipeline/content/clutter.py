"""What clutter is called: tags, roles, class names, ids and stock phrases; `boilerplate` has the rules that go by them.

Collected from the markup of MkDocs Material, Docusaurus, Sphinx, Hugo Docsy, GitBook, VitePress, Zendesk, Confluence,
OneTrust and Bootstrap sites.
"""

import re

TAGS = frozenset(
    "script style noscript template iframe object embed canvas svg nav footer dialog select option input textarea "
    "video audio map".split()
)
"""Elements that never hold main content. `header`, `aside`, `form` and `button` sometimes do."""

ROLES = frozenset(
    "navigation banner contentinfo search complementary dialog alertdialog menu menubar toolbar tablist".split()
)

_PREFIX = (
    r"(?:(?:site|page|article|docs?|md|theme|global|main|post|content|app|block|nav|footer|header|vp|bd|js|c|o|m)"
    r"[-_]+)*"
)
_SUFFIX = (
    r"(?:[-_]+(?:container|wrapper|wrap|list|block|section|box|bar|widget|nav|inner|area|items?|links?|content|menu|left"
    r"|right|primary|secondary|panel|title|header|button|btn|form|text|topics?|articles?|posts?|pages?|mobile|desktop))*"
)
_NAMES = (
    r"breadcrumbs?|crumbs|skip(?:[-_]?(?:to[-_]?content|link|nav))?|headerlink|hash-?link|header-?anchor|permalink"
    r"|nav(?:igation|bar)?|side-?nav|side-?bar|pagination|pager|paginator|prev-?next|next-?prev|previous-?next"
    r"|toc|table-?of-?contents|on-?this-?page|in-?this-?article|related|see-?also|recommended|feedback|page-?feedback"
    r"|helpful|was-?this-?(?:page-?)?helpful|rating|share|sharing|social|newsletter|subscribe|promo|advert(?:isement)?|ads?"
    r"|edit-?(?:this-?)?(?:page|link|url|on-?github)|page-?meta|last-?(?:updated?|modified)|git-?revision-?date.*"
    r"|copy-?(?:btn|button|code|page)?|clipboard|btn-?clipboard|back-?to-?top|scroll-?to-?top|disqus(?:_thread)?|comments?"
    r"|byline|author|meta|meta-?data|meta-?group|version-?badge|popup-?body|mctextpopupbody"
    r"|sr-?only|visually-?hidden|screen-?reader-?text|announcement|announce|modal|popup|pop-?over|lightbox|tooltip"
    r"|search|version-?(?:switcher|selector|banner|warning)|(?:language|locale|edition)-?(?:switcher|selector|picker)"
    r"|source-?file|linenos|line-?numbers?|gutter|footer|site-?footer|no-?print"
)
NAMES = re.compile(rf"{_PREFIX}(?:{_NAMES}){_SUFFIX}")
"""Class names; a whole name must match, so that `has-sidebar` or `with-toc` on a layout element does not."""

CONSENT = re.compile(r"(?:.*[-_])?(?:cookies?|consent|gdpr|onetrust|cookiebot|cybotcookiebot\w*|ccpa)(?:[-_].*)?")
"""Consent notices go however large they are; on a short page they are larger than the content."""

IDS = re.compile(
    rf"(?:{_PREFIX}(?:breadcrumbs?|side-?bar|toc|table-?of-?contents|on-?this-?page|feedback|page-?nav|nav(?:igation|bar)?"
    rf"|footer|site-?footer|disqus_thread|search|skip-?link){_SUFFIX}"
    r"|(?:cookie|consent)[-_]?(?:banner|notice|bar|popup|modal|message|consent|manager)|onetrust[-_].*|cybotcookiebot\w*)"
)
"""Narrower than class names: headings and sections have ids made of their own words."""

ADMONITION = re.compile(
    r"\b(?:note|tip|hint|info|warning|caution|danger|important|attention|admonition|callout|footnotes?|footnote-list|aside--\w+"
    r"|starlight-aside)\b"
)
"""An `aside` of this class is content."""

COLLAPSED = re.compile(
    r"accordion|collaps|expand|tab|faq|answer|panel|toggle|details|disclosure|content", re.IGNORECASE
)
"""What is hidden at first under such a class is content that a click shows."""

_DATE = r"[\w,./:\s+-]{4,50}"
_THIS = r"(?:was|is|did) this (?:page|article|information|topic|answer|document|content|help)?"
PHRASES = re.compile(
    r"skip to (?:main )?content|skip to navigation|back to top|(?:go )?to top|on this page"
    r"|in this (?:article|page|topic)|edit (?:(?:this )?(?:page|article)|on git(?:hub|lab))(?: on git(?:hub|lab))?"
    r"|(?:view|show) (?:page )?source(?: code)?|copied!?|copy(?: (?:page|link|url|code|to clipboard|permalink))?"
    r"|print(?: (?:this )?(?:page|article))?|share(?: this)?(?: (?:page|article))?|(?:download|save) (?:as )?pdf"
    r"|report (?:an issue|a problem)(?: with this page)?|suggest (?:an )?edits?"
    r"|(?:send|give|leave) (?:us )?feedback|loading(?:\.\.\.|…)?"
    rf"|(?:this page was )?(?:last|page last) (?:updated?|modified|edited|reviewed|changed)(?: on| at|:)?\s*{_DATE}"
    rf"|(?:updated|published|posted|modified)(?: on|:)\s*{_DATE}"
    rf"|{_THIS}\s?(?:helpful|help|help you|useful)(?: to you)?\??(?:\s*(?:yes|no|👍|👎|\W))*"
    r"|(?:updated |posted |last updated )?(?:about )?(?:an?|\d+) (?:minute|hour|day|week|month|year)s? ago"
    r"|rate this (?:page|article|topic).{0,40}|thank(?:s| you) for your feedback.{0,80}|\d+ min(?:ute)?s? read"
    r"|\d+ out of \d+ found this helpful",
    re.IGNORECASE,
)
"""A short block that says only this is a widget, whatever its class."""

CALL_TO_ACTION = re.compile(
    r"(?:learn|read|find out|see|show|view|discover) more(?: details)?|view all|show less"
    r"|(?:try|buy|order|download) (?:it )?now|try (?:it )?(?:for )?free|(?:start )?(?:your )?free trial"
    r"|(?:sign up|get started)(?: now| free| for free)?|contact (?:us|sales)|(?:request|book) a demo"
    r"|open topic with navigation",
    re.IGNORECASE,
)
"""A link that stands alone and says only this leads elsewhere; within a sentence it is part of the sentence."""

FEEDBACK_QUESTION = re.compile(
    rf"{_THIS}\s?(?:helpful|help|help you|useful).*|how (?:can|could) we improve.*"
    r"|rate this (?:page|article|topic).*|still need help\??|have more questions\?.*",
    re.IGNORECASE,
)

RELATED_HEADING = re.compile(
    r"(?:related|recommended|similar|more)\s(?:links|articles|topics|pages|content|information|documentation|reading|resources"
    r"|posts|guides|tasks|concepts|questions)|see also|further reading|read more|you (?:may|might) also (?:like|want).*"
    r"|recently viewed(?: articles)?|articles in this section|popular articles",
    re.IGNORECASE,
)
"""A section under such a heading goes if it is nothing but links; with prose in it, it stays."""

CONTENTS_HEADING = re.compile(
    r"(?:table of |page )?contents|on this page|in this (?:article|page|topic|section|guide)|jump to|quick links",
    re.IGNORECASE,
)


COMMANDS = re.compile(
    r"copy(?: (?:link|url|code|page|to clipboard|permalink))?|print(?: (?:page|article))?"
    r"|share(?: (?:page|article))?|(?:download|save) (?:as )?pdf|(?:go )?to top|send feedback|(?:view|show) source"
    r"(?: code)?|on this page|edit page",
    re.IGNORECASE,
)
"""Stock phrases that are also names of commands."""

FURNITURE = re.compile(
    rf"{_PREFIX}(?:breadcrumbs?|crumbs|skip(?:[-_]?(?:to[-_]?content|link|nav))?|headerlink|hash-?link|header-?anchor"
    r"|permalink|pagination|pager|paginator|prev-?next|next-?prev|previous-?next|toc|table-?of-?contents|on-?this-?page"
    r"|in-?this-?article|copy-?(?:btn|button|code|page)?|clipboard|btn-?clipboard|back-?to-?top|scroll-?to-?top"
    r"|disqus(?:_thread)?|mctextpopupbody|popup-?body|linenos|line-?numbers?|gutter"
    rf"|(?:language|locale|edition)-?(?:switcher|selector|picker)|version-?(?:switcher|selector)){_SUFFIX}"
)
"""Names that nobody gives to content, wherever it stands."""
