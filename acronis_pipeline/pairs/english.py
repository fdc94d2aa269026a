"""English as documentation writes it and customers type it: verbs and their forms, everyday words, clipped phrases."""

import re
from functools import lru_cache

from acronis_pipeline.core.hashing import digest
from acronis_pipeline.pairs.words import word_set, words

_VERBS = word_set(
    """accept access acquire activate add adjust allow analyze apply approve archive assign attach audit authenticate
    authorize automate avoid back balance block boot browse build bypass calculate call cancel capture change check
    choose clean clear click clone close collect combine commit compact compare complete compress compute configure
    confirm connect consolidate contact contribute control convert copy create customize cut debug declare decrypt
    deduplicate define delegate delete deploy describe detach detect determine diagnose disable disconnect discover
    display dismiss distribute download edit eject email enable encrypt enforce ensure enter erase estimate evaluate
    examine exclude execute expand export expose extend extract filter find fix force format forward freeze generate
    get give grant group handle harden hide identify ignore implement import improve include increase index
    initialize inspect install integrate investigate invite isolate join keep label launch leave limit link list
    load locate lock log maintain make manage map mark measure merge migrate mirror modify monitor mount move name
    navigate notify obtain open optimize organize override pack pause perform ping pin plan play prepare prevent
    preview print process protect provide provision publish pull purchase purge push query read reboot rebuild
    receive recover redeem redirect reduce refresh register reinstall release remove rename renew repair replace
    replicate report request require reschedule reserve reset resize resolve respond restart restore restrict resume
    retain retrieve retry return reuse reveal revert review revoke roll rotate route run save scale scan schedule
    search secure select send separate serve set setup share shift show shrink sign simulate skip sort specify split
    start stop store stream submit subscribe suspend switch sync synchronize tag test throttle track train transfer
    transform translate trigger troubleshoot tune turn unblock uninstall unlock unmount unregister update upgrade
    upload use utilize validate verify view visualize wait wipe work wrap write"""
)

_ALSO_NOUNS = word_set(
    """access archive block boot call change check clone complete contact control copy cut debug display distribute
    download edit email export extract filter fix force format forward group handle index label leave limit link list
    load lock log map mark measure mirror monitor mount move name open pack pause plan play print process purchase query
    release repair report request reset restart restore return review route run save scale scan schedule search secure
    separate set share shift show sign sort split start stop store stream support switch tag test track train transfer
    trigger update upgrade use view wait work wrap"""
)
_HAPPENINGS = word_set(
    """appear apply become begin belong consist contain continue cost depend differ exist expect fail fit follow finish
    happen lack last lead let look mean need occur remain rely result seem stay stick succeed suffice take tell try
    want"""
)
"""Verbs that open no instruction."""
_DOUBLED = word_set("cut get log map pin plan reset run scan set skip split stop submit tag unplug wrap zip")
_KEEP_E = {"see", "free"}

_EVERYDAY = {
    "acquire": ("get",),
    "configure": ("set up", "configure"),
    "create": ("create", "make"),
    "customize": ("change", "customize"),
    "delete": ("delete", "remove", "get rid of"),
    "deploy": ("install", "deploy"),
    "determine": ("find out", "check"),
    "diagnose": ("find out what is wrong with", "troubleshoot"),
    "disable": ("turn off", "disable"),
    "display": ("see", "show"),
    "download": ("download", "get"),
    "edit": ("change", "edit"),
    "enable": ("turn on", "enable"),
    "ensure": ("make sure",),
    "erase": ("delete", "wipe"),
    "exclude": ("leave out", "skip", "exclude"),
    "execute": ("run",),
    "initialize": ("set up",),
    "locate": ("find",),
    "migrate": ("move", "migrate"),
    "modify": ("change",),
    "monitor": ("keep an eye on", "monitor"),
    "obtain": ("get",),
    "perform": ("do", "run"),
    "purchase": ("buy",),
    "recover": ("recover", "get back", "restore"),
    "remove": ("remove", "delete"),
    "resolve": ("fix",),
    "restore": ("restore", "get back", "recover"),
    "retrieve": ("get", "find"),
    "select": ("choose", "pick"),
    "specify": ("set", "specify"),
    "terminate": ("stop",),
    "uninstall": ("remove", "uninstall"),
    "update": ("update", "upgrade"),
    "upgrade": ("upgrade", "update"),
    "utilize": ("use",),
    "validate": ("check",),
    "verify": ("check", "verify"),
    "view": ("see", "look at", "find"),
}


_NO_OBJECT = word_set("from to into in on with as at by") | {""}


_CLAUSE = re.compile(
    r"\s*(?:[,;:(–—]|\s-\s|\s(?:which|because|so that|so|since|whereas|while|although|unless|but|as well as|such as|"
    r"including|even if|even though|provided that|rather than|instead of|depending on|you|"
    r"and (?:then|you|it|they|can|will|must|should|is|are|has|have|does|not))\b).*$",
    re.IGNORECASE | re.DOTALL,
)
_BREAKS = re.compile(
    r"\b(?:if|when|whenever|that|which|who|whose|where|because|while|but|or|is|are|was|were|has|have|can|will|must|"
    r"should|may|might|could|would|do|does|did|don't|doesn't|isn't|aren't|can't|won't|cannot|please|then|there|this|these|it|"
    r"they|not|you|we|i|wants?|wanted|lets?)\b",
    re.IGNORECASE,
)
_PREPOSITIONS = word_set(
    """in on for with after before when during from by as at to under without once while unless because since depending
    using if whether until per via although though given like unlike besides within upon despite where how what why
    inside outside behind between among beyond above below around over next either neither only just even not no
    some many most several these those otherwise both various"""
)
_DETERMINERS = word_set("the a an your all each every some many most several any both our two three four five")
_OPEN_ENDS = word_set(
    "a an the and or of to for with by from in on at as before after when if that than into your its is are be not "
    "following e.g i.e only also both either neither"
)
_VAGUE = word_set(
    """action answer application article backend button case change command configuration content data default details
    dialog documentation example fact feature features field file files flag following form function goal idea
    information instructions interface item list menu method mode name note number object operation option options
    output page parameter problem procedure process product program property reason result results screen script
    section service setting settings setup software solution step steps string system table tab task text thing
    things time tool tools topic type use user users value values variable version way ways window work"""
)
"""Heads that name nothing in particular: "the tool", "this option"."""
_ADVERBS = word_set("also always already even now often only still then therefore")
_ARTICLES = word_set("a an the your all each any")
_QUOTES = (('"', '"'), ("“", "”"), ("(", ")"), ("[", "]"), ("{", "}"))


def _gerund(verb: str) -> str:
    if verb in _DOUBLED:
        return verb + verb[-1] + "ing"
    if verb.endswith("e") and verb not in _KEEP_E:
        return verb[:-1] + "ing"
    return verb + "ing"


_BASE_OF_GERUND = {_gerund(verb): verb for verb in _VERBS} | {"backing": "back", "labelling": "label"}
_BASE_OF_GERUND |= {"analysing": "analyse", "customising": "customise", "optimising": "optimise"}


def base_of_gerund(word: str) -> str | None:
    """ "configuring" → "configure"; None if it is no known verb."""
    return _BASE_OF_GERUND.get(word.lower())


def is_verb(word: str) -> bool:
    """Whether the word can open an instruction ("Configure …")."""
    return word.lower() in _VERBS


def is_also_a_noun(word: str) -> bool:
    """Whether a verb is as often a noun, so that "Test results" is no instruction."""
    return word.lower() in _ALSO_NOUNS


@lru_cache(maxsize=65_536)
def is_form_of_verb(word: str) -> bool:
    """Whether the word is a verb in any of its forms and never a noun: "replace", "replaced", "replacing"."""
    word = word.lower()
    bases = {word, word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("d"), word.removesuffix("ed")}
    if word.endswith(("ies", "ied")):
        bases.add(word[:-3] + "y")
    if word.endswith("ed") and word[-4:-3] == word[-3:-2]:
        bases.add(word[:-3])
    known = bases & (_VERBS | _HAPPENINGS)
    if word.endswith("ed") and known:
        return True
    return bool(known - _ALSO_NOUNS) or word in _BASE_OF_GERUND


def everyday(verb_phrase: str) -> str:
    """The phrase with its verb as a customer would put it: "modify a plan" → "change a plan".

    Among several everyday words the choice is by hash of the phrase: the same phrase always reads the same, and a
    corpus gets a mix. Whoever searches rarely knows the documentation's own verb, which is what a model has to learn.
    """
    verb, _, rest = verb_phrase.partition(" ")
    choices = _EVERYDAY.get(verb.lower())
    if not choices:
        return verb_phrase
    if verb.lower() in {"restore", "recover"} and rest.split(" ", 1)[0] in _NO_OBJECT:
        return verb_phrase
    chosen = choices[int(digest(verb_phrase)[:8], 16) % len(choices)]
    return f"{chosen} {rest}".strip()


def as_asker(text: str) -> str:
    """What the page says to the reader, as the reader would say it: "your plan" → "my plan"."""
    said = {"you": "I", "your": "my", "yours": "mine", "yourself": "myself", "you're": "I'm", "you've": "I've"}
    text = re.sub(r"\b(?:you are|are you)\b", "I am", text, flags=re.IGNORECASE)
    text = re.sub(r"\byou were\b", "I was", text, flags=re.IGNORECASE)
    return " ".join(said.get(word.lower(), word) for word in text.split(" "))


def clip(phrase: str, max_words: int) -> str | None:
    """The phrase up to its first clause boundary; None where that is still longer than `max_words`."""
    short = _CLAUSE.sub("", phrase).strip(" .!?")
    found = words(short)
    if not found or len(found) > max_words or found[-1].lower() in _OPEN_ENDS or not is_balanced(short):
        return None
    # "… to determine", where what is determined was in the clause that fell away.
    if short != phrase.strip(" .!?") and found[-2:-1] == ["to"]:
        return None
    return short


def is_balanced(text: str) -> bool:
    """Whether every quotation mark and bracket that opens is closed."""
    for opening, closing in _QUOTES:
        if (opening == closing and text.count(opening) % 2) or text.count(opening) != text.count(closing):
            return False
    # An apostrophe closes nothing: only more openings than ends of words are too many.
    return len(re.findall(r"(?<!\w)'(?=\S)", text)) <= len(re.findall(r"(?<=\S)'(?!\w)", text))


def is_noun_phrase(text: str) -> bool:
    """Whether a heading names a thing, so that a question can end in it: no instruction, question or sentence."""
    found = [word.lower() for word in words(text)]
    if not found or found[0] in _PREPOSITIONS or _BREAKS.search(text) or re.search(r"[?!:;]|\sin\s", text):
        return False
    if base_of_gerund(found[0]) or not is_balanced(text):
        return False
    return not is_verb(found[0]) or (is_also_a_noun(found[0]) and len(found) in {2, 3} and found[1] not in _ARTICLES)


def is_plural(phrase: str) -> bool | None:
    """Whether verbs after a noun phrase are in the plural; None where its head is a name or an odd word."""
    if re.search(r"\w and \w", phrase):
        return True
    core = re.split(r"\s(?:of|for|in|on|with|from|to|by|at|\w+ed|within|using)\s", phrase)[0].split(" ")
    head = core[-1].strip("\"'”’")
    if re.search(r"\W|\d|[A-Z]", head) or head in {"data", "media", "series", "criteria", "people", "metadata"}:
        return None
    return head.endswith("s") and not head.endswith(("ss", "us", "is"))


def subject(phrase: str, names: frozenset[str]) -> str | None:
    """The phrase as the subject of a question, or None where it is no plain noun phrase.

    `names` are words that the passage capitalises inside sentences; any other capital is only a sentence's beginning.
    """
    found = words(phrase)
    first = found[0].lower() if found else ""
    if not found or len(found) > 7 or first in _PREPOSITIONS or _BREAKS.search(phrase) or re.search(r"[,;:()]", phrase):
        return None
    if (
        first.endswith("ly")
        or (first.endswith("ing") and len(found) == 1)
        or re.match(r"the (?:more|less)\b", phrase, re.I)
    ):
        return None
    if is_verb(first) and not is_also_a_noun(first):
        return None
    last = found[-1].lower()
    if last in _OPEN_ENDS or last in _ADVERBS or last.endswith("lly") or re.search(r"[.!?]\s|by default$", phrase):
        return None
    core = [word.lower() for word in found if word.lower() not in _DETERMINERS]
    if not core or (len(core) == 1 and core[0] in _VAGUE) or re.search(r"\b(?:themselves|itself)\b", phrase):
        return None
    return as_asker(lower_start(phrase.strip(), names))


def lower_start(phrase: str, names: frozenset[str]) -> str:
    """The phrase with its first letter in lower case, unless its first word is a name, or one of a longer name."""
    head, _, rest = phrase.partition(" ")
    if head in names or head[1:] != head[1:].lower() or any(character.isdigit() for character in head):
        return phrase
    if rest[:1].isupper() and head.lower() not in _DETERMINERS | _PREPOSITIONS:
        return phrase
    return f"{head.lower()} {rest}".strip()


def verb_phrase(phrase: str, max_words: int = 9) -> str | None:
    """A clipped phrase that begins with a known verb, in the asker's words; None if it does not."""
    short = clip(phrase, max_words)
    if not short or len(words(short)) < 2:
        return None
    head, _, rest = short.partition(" ")
    if head.lower() in {"easily", "quickly", "manually", "automatically", "also", "only", "optionally", "safely"}:
        head, _, rest = rest.partition(" ")
    if not is_verb(head) or rest.lower() in {"it", "this", "them", "that", "one", "the following"}:
        return None
    if re.match(r"(?:it|this|them|these|that|those|one|out)\b", rest, re.IGNORECASE):
        return None
    return as_asker(f"{head.lower()} {rest}")


def how_to(phrase: str) -> str:
    """A verb phrase as a how-to question, in everyday words; the opening varies from phrase to phrase."""
    return f"{pick(phrase, 'how do I', 'how to', 'how can I', 'how do I')} {everyday(phrase)}"


def pick(text: str, *choices: str) -> str:
    """One of the choices, always the same for the same text."""
    return choices[int(digest("phrase", text)[:8], 16) % len(choices)]


def as_typed(question: str) -> str:
    """A question as people type it: half of them with a capital and a question mark, half without."""
    if pick(question, "bare", "marked") == "bare":
        return question
    return question[:1].upper() + question[1:] + "?"


def names_in(text: str) -> frozenset[str]:
    """Words that are capitalised in the middle of a sentence."""
    return frozenset(re.findall(r"(?<=[a-z,] )([A-Z][\w-]+)", text))
