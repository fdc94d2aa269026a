"""What a short question needs to be understood from outside: the heading that it stands under, where that fits."""

import re
from collections.abc import Callable

from acronis_pipeline.pairs.phrases import is_noun_phrase, lower_start
from acronis_pipeline.pairs.words import content_words, stem

_TOPIC_WORDS = 4
"""A longer heading tells a story of its own."""


def in_context(question: str, context: str, is_particular: Callable[[str], bool], few: int = 3) -> str | None:
    """A short question with what it is about: "where are attachments stored" on a page about Google Keep.

    A sentence may leave its topic to the heading; a visitor who asks from outside names it. Short is a question of up
    to `few` content words that shares none with the context. None where the context cannot be said after "in" and none
    of the question's words `is_particular` either: nobody could tell what is asked for.
    """
    asked, topic = content_words(question), content_words(context)
    if len(set(asked)) > few or _is_told(question, context):
        return question
    if 0 < len(topic) <= _TOPIC_WORDS and is_noun_phrase(context):
        mark = "?" if question.endswith("?") else ""
        return f"{question.removesuffix('?')} in {lower_start(context, frozenset())}{mark}"
    return question if any(is_particular(word) for word in asked) else None


def _is_told(question: str, context: str) -> bool:
    """Whether the question has a word of its context already, "BackupLocation" for "Backup location" included."""
    shared = {stem(word) for word in content_words(question)} & {stem(word) for word in content_words(context)}
    run_together = re.sub(r"\W", "", context).lower()
    return bool(shared) or (run_together != "" and run_together in question.lower())
