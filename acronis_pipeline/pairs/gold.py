"""Gold questions: written by people, only ever evaluated on.

A YAML list or JSON Lines file of `question`, `expected_urls`, and optionally `anchor`, `text` and `answer`. A question
without `expected_urls` is asked in every report, but cannot be scored.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urldefrag, urljoin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from acronis_pipeline.core.errors import DatasetError
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.store import Store, WriteResult, tables

CUSTOMER_QUESTIONS = (
    "How quickly can the software restore data during a crisis?",
    "What is the service's recovery point objective (RPO)?",
    "Is there a trial period?",
    "Does the software offer versioning support, i.e. can it keep multiple versions of the same file?",
)
"""What customers asked first. Every site is asked them; they are scored where a gold file says where the answer is."""


@dataclass(frozen=True)
class GoldQuestion:
    """A question and the pages that answer it.

    `anchor` (a heading's id) or `text` (a phrase) narrows the answer to a part of the page.
    """

    question_id: str
    question: str
    expected_urls: tuple[str, ...] = ()
    anchor: str | None = None
    text: str | None = None
    answer: str | None = None


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    question: str = Field(min_length=3)
    expected_urls: list[str] = []
    anchor: str | None = None
    text: str | None = None
    answer: str | None = None


def read_gold_file(path: Path, *, site_url: str) -> tuple[GoldQuestion, ...]:
    """Questions of a `.yaml`, `.yml`, `.jsonl` or `.json` file; relative URLs are resolved against the site.

    A fragment in an expected URL (`/trial/#how-long`) becomes the question's anchor.

    Raises
    ------
    DatasetError
        Names the file, the entry and what is wrong with it.
    """
    if not path.is_file():
        raise DatasetError(f"gold questions {path}: no such file; name a YAML or JSON Lines file of questions")
    questions: dict[str, GoldQuestion] = {}
    for number, raw in enumerate(_parse(path), start=1):
        where = f"gold questions {path}, entry {number}"
        question = _question(raw, where, site_url)
        if question.question_id in questions:
            raise DatasetError(f"{where}: {question.question!r} stands there twice; keep one")
        questions[question.question_id] = question
    if not questions:
        raise DatasetError(f"gold questions {path}: no question in it; write a list of question and expected_urls")
    return tuple(questions.values())


def customer_questions() -> tuple[GoldQuestion, ...]:
    """The four customer questions, without expected pages."""
    return tuple(GoldQuestion(_identify(text), text) for text in CUSTOMER_QUESTIONS)


def sync(store: Store, questions: tuple[GoldQuestion, ...]) -> WriteResult:
    """Make the table hold exactly these questions."""
    rows = [asdict(question) | {"expected_urls": list(question.expected_urls)} for question in questions]
    return store.sync(tables.GOLD_QUESTIONS, tables.GOLD_QUESTIONS.rows(rows))


def load(store: Store) -> tuple[GoldQuestion, ...]:
    """The questions last written to the table, in a fixed order."""
    rows = store.read(tables.GOLD_QUESTIONS).to_pylist()
    questions = (GoldQuestion(**row | {"expected_urls": tuple(row["expected_urls"] or ())}) for row in rows)
    return tuple(sorted(questions, key=lambda question: question.question_id))


def data_version(questions: tuple[GoldQuestion, ...]) -> str:
    """Digest of everything that scoring depends on."""
    return digest(*sorted(json.dumps(asdict(question), sort_keys=True) for question in questions))


def _parse(path: Path) -> list[object]:
    try:
        text = path.read_text("utf-8")
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        # YAML reads JSON too.
        parsed = yaml.safe_load(text)
    except UnicodeDecodeError as error:
        raise DatasetError(f"gold questions {path}: not UTF-8 text ({error.reason}); save it as UTF-8") from error
    except json.JSONDecodeError as error:
        raise DatasetError(
            f"gold questions {path}: a line is not JSON ({error}); write one JSON object a line"
        ) from error
    except yaml.YAMLError as error:
        raise DatasetError(f"gold questions {path}: not valid YAML ({' '.join(str(error).split())})") from error
    if isinstance(parsed, dict) and isinstance(parsed.get("questions"), list):
        return parsed["questions"]
    if not isinstance(parsed, list):
        raise DatasetError(f"gold questions {path}: expected a list of questions, found {type(parsed).__name__}")
    return parsed


def _question(raw: object, where: str, site_url: str) -> GoldQuestion:
    try:
        entry = _Entry.model_validate(raw)
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(str(part) for part in problem["loc"]) or "entry"
        raise DatasetError(f"{where}: {field}: {problem['msg']}; an entry has question and expected_urls") from error
    pages = [urldefrag(urljoin(site_url, url)) for url in entry.expected_urls]
    fragments = {page.fragment for page in pages if page.fragment}
    return GoldQuestion(
        _identify(entry.question),
        entry.question.strip(),
        tuple(dict.fromkeys(page.url for page in pages)),
        entry.anchor or (fragments.pop() if len(pages) == len(fragments) == 1 else None),
        entry.text,
        entry.answer,
    )


def _identify(text: str) -> str:
    return digest(" ".join(text.lower().split()))[:16]
