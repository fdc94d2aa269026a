"""What a short question needs to be understood from outside: the heading that it stands under, where that fits."""

import re
from collections.abc import Callable

from acronis_pipeline.pairs.everyday_words import is_also_a_noun, is_verb
from acronis_pipeline.pairs.phrases import is_balanced
from acronis_pipeline.pairs.words import content_words, stem

_TOPIC_WORDS = 4
"""A longer heading tells a story of its own."""
_TELLS_OR_ASKS = re.compile(
    r"[?!:;]|^(?:to|how|what|when|why|where|which|if|and|or|with|without|for|in|on|after|before|cannot|can)\b"
    r"|\b(?:it|them|this|that|these|those|your|is|are|was|were|do|does|must|should|will|not)\b",
    re.IGNORECASE,
)


def in_context(question: str, context: str, is_particular: Callable[[str], bool], few: int = 3) -> str | None:
    """A short question with what it is about: "Google Keep: where are attachments stored".

    A sentence may leave its topic to the heading; a visitor who asks from outside names it. It goes before the
    question, which stays a sentence whatever form the heading has. Short is a question of up to `few` content words
    that does not name the topic. None where the context is no topic and none of the question's words `is_particular`
    either: nobody could tell what is asked for.
    """
    asked = content_words(question)
    if len(set(asked)) > few or _is_told(question, context, is_particular):
        return question
    if is_topic(context):
        return f"{context}: {question[:1].lower()}{question[1:]}"
    return question if any(is_particular(word) for word in asked) else None


def is_topic(heading: str) -> bool:
    """Whether a heading can stand before a question as what it is about: no question, instruction or sentence."""
    head = heading.split(" ", 1)[0]
    is_instruction = is_verb(head) and not is_also_a_noun(head)
    is_short = 0 < len(content_words(heading)) <= _TOPIC_WORDS
    return is_short and not is_instruction and not _TELLS_OR_ASKS.search(heading) and is_balanced(heading)


def _is_told(question: str, context: str, is_particular: Callable[[str], bool]) -> bool:
    """Whether the question names its context: by a word that few pages have, by several, or by its only one.

    "BackupLocation" names "Backup location" as well.
    """
    asked, topic = ({stem(word): word for word in content_words(text)} for text in (question, context))
    shared = asked.keys() & topic.keys()
    run_together = re.sub(r"\W", "", context).lower()
    return (
        len(shared) >= min(2, len(topic) or 1)
        or any(is_particular(asked[word]) for word in shared)
        or (run_together != "" and run_together in question.lower())
    )
