"""English verbs of documentation: their forms, and the words customers use instead."""

import re
from functools import lru_cache

from acronis_pipeline.core.hashing import digest
from acronis_pipeline.pairs.words import word_set

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
