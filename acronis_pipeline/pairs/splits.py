"""Train, validation and test by page, and the pairs table as a dataset in those splits.

Near-duplicate pages go together; the split is decided by hash and never moves afterwards.
"""

import datetime as dt
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from acronis_pipeline.chunk.near_duplicates import page_clusters
from acronis_pipeline.core.dataset import Passage, Question, RetrievalDataset
from acronis_pipeline.core.errors import EmptyCorpusError
from acronis_pipeline.core.hashing import digest
from acronis_pipeline.core.settings import PairSettings
from acronis_pipeline.pairs import gold
from acronis_pipeline.pairs.generator import Chunk, read_chunks
from acronis_pipeline.pairs.labelled import SPLITS
from acronis_pipeline.pairs.words import normalise
from acronis_pipeline.store import Store, tables

_MAX_TEST_SHARE = 0.3
_MAX_VALIDATION_SHARE = 0.2
_log = logging.getLogger(__name__)


def page_groups(chunks: Sequence[Chunk]) -> dict[str, str]:
    """Group of every page: pages that are near-duplicates of each other share one."""
    return page_clusters((chunk.url, chunk.cluster_id) for chunk in chunks)


def assign(groups: Mapping[str, str], remembered: Mapping[str, str], options: PairSettings) -> dict[str, str]:
    """Split of every page of `groups`.

    A remembered page keeps its split and a new page joins that of its group. Groups without one are taken in the order
    of their hash until test, then validation, have their share of the pages; the rest trains. The hash is of the path
    of the group's first URL, so that a site splits alike under any host name.
    """
    splits = {url: remembered[url] for url in groups if url in remembered}
    members: dict[str, list[str]] = defaultdict(list)
    for url in sorted(groups):
        members[groups[url]].append(url)
    new_groups = []
    for urls in members.values():
        if known := {splits[url] for url in urls if url in splits}:
            splits.update(
                dict.fromkeys(urls, _most_guarded(known)) | {url: splits[url] for url in urls if url in splits}
            )
        else:
            new_groups.append(urls)
    wanted = targets(len(groups), options)
    counts = Counter(splits.values())
    for urls in sorted(new_groups, key=lambda urls: digest("split", _path(urls[0]))):
        # A group that would overshoot (half of the site is one template) is left to training.
        split = next((s for s in ("test", "validation") if counts[s] + len(urls) <= wanted[s]), "train")
        splits.update(dict.fromkeys(urls, split))
        counts[split] += len(urls)
    return splits


def targets(n_pages: int, options: PairSettings) -> dict[str, int]:
    """Pages wanted for test and validation; a small site gives up to 30 % and 20 % to reach the minimum numbers."""
    test = max(options.test_share * n_pages, min(options.min_test_pages, _MAX_TEST_SHARE * n_pages))
    least = min(options.min_validation_pages, _MAX_VALIDATION_SHARE * n_pages)
    return {"test": round(test), "validation": round(max(options.validation_share * n_pages, least))}


def refresh(store: Store, groups: Mapping[str, str], options: PairSettings) -> dict[str, str]:
    """Splits of the pages of `groups`, remembered in `page_splits`; pages that went away stay remembered."""
    remembered = {row["url"]: row["split"] for row in store.read(tables.PAGE_SPLITS).to_pylist()}
    splits = assign(groups, remembered, options)
    now = dt.datetime.now(dt.UTC)
    new = [{"url": url, "split": splits[url], "assigned_at": now} for url in sorted(splits) if url not in remembered]
    if new:
        store.upsert(tables.PAGE_SPLITS, tables.PAGE_SPLITS.rows(new))
        _log.info("split %d new pages: %s", len(new), dict(Counter(row["split"] for row in new)))
    return splits


def held_out(groups: Mapping[str, str], splits: Mapping[str, str]) -> frozenset[str]:
    """Pages that grew into near-duplicates of a page in a more guarded split: they stay where they are, unused.

    A page never moves, so of a group that stands in two splits only the pages of the most guarded one keep their pairs
    (test before validation before train).
    """
    standing: dict[str, set[str]] = defaultdict(set)
    for url, group in groups.items():
        standing[group].add(splits[url])
    return frozenset(url for url, group in groups.items() if splits[url] != _most_guarded(standing[group]))


def gold_texts(store: Store) -> frozenset[str]:
    """The gold questions of the store, normalised."""
    return frozenset(normalise(question.question) for question in gold.load(store))


def leaks(store: Store) -> list[str]:
    """Every page, page group, near-duplicate cluster or question text that stands in two splits, described.

    A gold question that a pair asks too is a leak as well. Only kept pairs count: they are what training and evaluation
    see. Empty when all is well.
    """
    chunks = {chunk.chunk_id: chunk for chunk in read_chunks(store)}
    groups = page_groups(tuple(chunks.values()))
    standing: dict[tuple[str, str], set[str]] = defaultdict(set)
    asked_by_people = gold_texts(store)
    trained_on: list[str] = []
    columns = ["query", "chunk_ids", "split"]
    for row in store.read(tables.PAIRS, columns=columns, where="status = 'kept'").to_pylist():
        text = normalise(row["query"])
        if text in asked_by_people:
            trained_on.append(f"gold question {text!r} is a pair of the {row['split']} split")
        things = {("question", text)}
        for chunk in (chunks[chunk_id] for chunk_id in row["chunk_ids"] if chunk_id in chunks):
            things |= {("page", chunk.url), ("page group", groups[chunk.url]), ("cluster", chunk.cluster_id)}
        for thing in things:
            standing[thing].add(row["split"])
    return trained_on + [
        f"{kind} {name!r} stands in {' and '.join(sorted(splits, key=SPLITS.index))}"
        for (kind, name), splits in sorted(standing.items())
        if len(splits) > 1
    ]


def _most_guarded(splits: Iterable[str]) -> str:
    return max(splits, key=SPLITS.index)


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def load_dataset(store: Store) -> RetrievalDataset:
    """Every kept pair, over all chunks.

    A question's group is that of its page: near-duplicate pages share one.

    Raises
    ------
    EmptyCorpusError
        If there are no chunks or no kept pairs.
    """
    chunks = read_chunks(store)
    rows = store.read(tables.PAIRS, where="status = 'kept'").to_pylist()
    if not chunks or not rows:
        raise EmptyCorpusError(f"{len(chunks)} chunks and {len(rows)} kept pairs; materialize synthetic_pairs first")
    by_id = {chunk.chunk_id: chunk for chunk in chunks}
    groups = page_groups(chunks)
    questions: dict[str, list[Question]] = {split: [] for split in SPLITS}
    for row in sorted(rows, key=lambda row: row["pair_id"]):
        gold = tuple(chunk_id for chunk_id in row["chunk_ids"] if chunk_id in by_id)
        if gold:  # the chunks may have moved on since the pairs were made
            group = groups[by_id[gold[0]].url]
            negatives = tuple(row["negatives"] or ())
            questions[row["split"]].append(
                Question(row["pair_id"], row["query"], gold, group, row["style"], negatives, row["removed"] or "")
            )
    passages = tuple(Passage(chunk.chunk_id, chunk.passage, chunk.cluster_id, chunk.url) for chunk in chunks)
    return RetrievalDataset(passages, **{split: tuple(found) for split, found in questions.items()})
