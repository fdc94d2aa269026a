"""Bringing the pairs table up to date with the chunks table."""

import json
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from acronis_pipeline import encoders
from acronis_pipeline.core.errors import EmptyCorpusError
from acronis_pipeline.core.hashing import digest_rows
from acronis_pipeline.core.settings import LlmSettings, ModelSettings, PairSettings
from acronis_pipeline.encoders import Encoder, describe, find_base
from acronis_pipeline.llm.budget import LlmUsage
from acronis_pipeline.llm.session import LlmSession
from acronis_pipeline.pairs import filters, interchange, judge, round_trip, splits
from acronis_pipeline.pairs.generator import Candidate, Chunk, Generation, Generator, read_chunks
from acronis_pipeline.pairs.generators import link_texts
from acronis_pipeline.pairs.generators.language_model import LlmGenerator
from acronis_pipeline.pairs.generators.link_texts import LinkTextGenerator
from acronis_pipeline.pairs.generators.structural import StructuralGenerator
from acronis_pipeline.pairs.words import words
from acronis_pipeline.store import Store, schemas

_log = logging.getLogger(__name__)
_N_EXAMPLES = 12


@dataclass(frozen=True)
class Example:
    """A pair for a person's eye, first what a narrow table should show; `reason` is why it was rejected, if it was."""

    query: str
    passage_start: str
    style: str
    split: str
    reason: str | None


@dataclass(frozen=True)
class PairsResult:
    """What a refresh left in the pairs table, and what it took to get there.

    `by_style`, `by_split` and `by_generator` count kept pairs, whose lengths and copy rates are `n_words` and
    `copy_rates`; `added`, `removed` and `kept_unchanged` count rows of the table, rejected ones included; `failures`
    counts chunks that gave no query, and imported pairs without their passage, by reason.
    """

    n_kept: int
    n_rejected: int
    by_style: Mapping[str, int]
    by_split: Mapping[str, int]
    by_generator: Mapping[str, int]
    reject_reasons: Mapping[str, int]
    failures: Mapping[str, int]
    pages_by_split: Mapping[str, int]
    added: int
    removed: int
    kept_unchanged: int
    table_version: int
    data_version: str
    examples: tuple[Example, ...]
    rejected_examples: tuple[Example, ...]
    n_words: tuple[int, ...]
    copy_rates: tuple[float, ...]
    llm: LlmUsage
    duration_s: float


def refresh(store: Store, options: PairSettings, llm: LlmSettings, model: ModelSettings | None = None) -> PairsResult:
    """Make the pairs table follow the chunks table.

    Questions are generated for chunks that the configured generators have not asked yet; pairs whose chunk, generator
    or prompt is gone are retired. Filters and splits then judge all candidates anew, because what is ambiguous or a
    near-duplicate depends on the whole corpus. One new version of the table, or none if nothing changed. `model` names
    the base of the round trip (`pairs.round_trip_k`).

    Raises
    ------
    EmptyCorpusError
        If there is no chunk, or no candidate passes the filters; the table keeps its last version.
    GeneratorError
        If the language model is not configured or answers nothing at all.
    """
    started = time.monotonic()
    chunks = read_chunks(store)
    if not chunks:
        raise EmptyCorpusError("no chunks to make questions from; crawl the site and materialize chunks first")
    before = _rows(store)
    session = LlmSession(llm, store) if options.uses_llm else None
    generated, generations = _candidates(before, chunks, _generators(store, chunks, options, session))
    brought = interchange.candidates(store, chunks)
    by_pair_id = {candidate.pair_id: candidate for candidate in (*brought.candidates, *generated)}
    candidates = sorted(by_pair_id.values(), key=lambda candidate: candidate.pair_id)
    groups = splits.page_groups(chunks)
    split_of = splits.refresh(store, groups, options)
    by_id = {chunk.chunk_id: chunk for chunk in chunks}
    benched = splits.held_out(groups, split_of)
    asked = splits.gold_texts(store)
    verdicts = filters.judge(
        candidates, by_id, split_of, benched, options.max_copy_rate, asked, options.max_answering_clusters
    )
    if options.round_trip_k:
        verdicts = round_trip.reject_lost(store, _base(model), verdicts, by_id, options.round_trip_k)
    if session and options.judge == "llm":
        verdicts = judge.reject_unfit(session, verdicts, by_id)
    kept = [verdict for verdict in verdicts if verdict.reason is None]
    if not kept:
        reasons = dict(Counter(verdict.reason for verdict in verdicts))
        raise EmptyCorpusError(
            f"none of {len(verdicts)} questions made from {len(chunks)} chunks was kept ({reasons or 'none made'}); "
            "look at the chunks, or relax pairs.max_copy_rate"
        )
    written = store.sync("pairs", schemas.PAIRS, _table(verdicts, by_id))
    result = PairsResult(
        n_kept=len(kept),
        n_rejected=len(verdicts) - len(kept),
        by_style=_counts(verdict.candidate.style for verdict in kept),
        by_split=_counts(verdict.split for verdict in kept),
        by_generator=_counts(verdict.candidate.generator for verdict in kept),
        reject_reasons=_counts(verdict.reason for verdict in verdicts if verdict.reason),
        failures=dict(sum((Counter(generation.failures) for generation in (*generations, brought)), Counter())),
        pages_by_split=_counts(split_of.values()),
        added=written.inserted,
        removed=written.deleted,
        kept_unchanged=len(verdicts) - written.inserted - written.updated,
        table_version=written.version,
        data_version=digest_rows(
            (
                v.candidate.pair_id,
                v.candidate.query,
                sorted(v.chunk_ids),
                v.split,
                v.candidate.removed,
                *v.candidate.negatives,
            )
            for v in kept
        ),
        examples=_examples(kept, by_id),
        rejected_examples=_examples([verdict for verdict in verdicts if verdict.reason], by_id),
        n_words=tuple(len(words(verdict.candidate.query)) for verdict in kept),
        copy_rates=tuple(verdict.copy_rate for verdict in kept),
        llm=session.usage if session else LlmUsage(),
        duration_s=time.monotonic() - started,
    )
    _log.info("%d pairs kept, %d rejected in %.1f s: %s", result.n_kept, result.n_rejected, result.duration_s,
              dict(result.by_style))  # fmt: skip
    return result


def _base(model: ModelSettings | None) -> Encoder:
    settings = model or ModelSettings()  # pyright: ignore[reportCallIssue]
    folder = find_base(settings.base)
    return encoders.running(folder, describe(folder, base=settings.base, max_seq_length=512), settings)


def _generators(
    store: Store, chunks: Sequence[Chunk], options: PairSettings, session: LlmSession | None
) -> list[Generator]:
    generators: list[Generator] = []
    if options.generator in {"structural", "both"}:
        generators.append(StructuralGenerator(chunks, options.max_per_chunk, {**options.styles}))
        if options.styles.get("link"):
            generators.append(LinkTextGenerator(link_texts.read(store, chunks)))
    if session and options.generator in {"llm", "both"}:
        generators.append(LlmGenerator(session))
    return generators


def _candidates(
    before: Sequence[Mapping[str, Any]], chunks: Sequence[Chunk], generators: Sequence[Generator]
) -> tuple[list[Candidate], list[Generation]]:
    """Candidates known from earlier runs that still stand, and new ones for chunks that were not asked yet."""
    alive = {chunk.chunk_id for chunk in chunks}
    found: dict[str, Candidate] = {}
    generations: list[Generation] = []
    for generator in generators:
        known = [
            Candidate(
                query=row["query"],
                chunk_id=row["chunk_ids"][0],
                style=row["style"],
                generator=row["generator"],
                prompt_hash=row["prompt_hash"],
                told_task=row["task"],
                negatives=tuple(row["negatives"] or ()),
                removed=row["removed"] or "",
            )
            for row in before
            if row["source"] is None
            and row["generator"] == generator.name
            and row["prompt_hash"] == generator.prompt_hash
            and row["chunk_ids"][0] in alive
        ]
        asked = {candidate.chunk_id for candidate in known}
        new = [chunk for chunk in chunks if chunk.chunk_id not in asked]
        _log.info("%s: %d of %d chunks have queries, the others are asked", generator.name, len(asked), len(chunks))
        generation = generator.generate(new) if new else Generation(())
        generations.append(generation)
        for candidate in (*known, *generation.candidates):
            found.setdefault(candidate.pair_id, candidate)
    return list(found.values()), generations


def _rows(store: Store) -> list[dict[str, Any]]:
    columns = ["query", "chunk_ids", "style", "task", "generator", "prompt_hash", "negatives", "removed", "source"]
    return store.read("pairs", schemas.PAIRS, columns=columns).to_pylist()


def _table(verdicts: Sequence[filters.Verdict], chunks: Mapping[str, Chunk]) -> pa.Table:
    rows = [
        {
            "pair_id": verdict.candidate.pair_id,
            "query": verdict.candidate.query,
            "chunk_ids": list(verdict.chunk_ids),
            "url": chunks[verdict.candidate.chunk_id].url,
            "style": verdict.candidate.style,
            "task": verdict.candidate.task,
            "generator": verdict.candidate.generator,
            "prompt_hash": verdict.candidate.prompt_hash,
            "split": verdict.split,
            "status": "rejected" if verdict.reason else "kept",
            "reject_reason": verdict.reason,
            "negatives": list(verdict.candidate.negatives),
            "removed": verdict.candidate.removed,
            "copy_rate": verdict.copy_rate,
            "scores": json.dumps(dict(verdict.scores)),
            "source": verdict.candidate.source,
        }
        for verdict in verdicts
    ]
    return pa.Table.from_pylist(rows, schema=schemas.PAIRS)


def _examples(verdicts: Sequence[filters.Verdict], chunks: Mapping[str, Chunk]) -> tuple[Example, ...]:
    """A few pairs of every style (rejected ones: every reason) in turn; which ones depends on their ids only."""
    kinds: dict[str, list[filters.Verdict]] = defaultdict(list)
    for verdict in verdicts:
        kinds[verdict.reason or verdict.candidate.style].append(verdict)
    turns = sorted((place, kind) for kind, found in kinds.items() for place in range(len(found)))
    shown = [kinds[kind][place] for place, kind in turns[:_N_EXAMPLES]]
    return tuple(
        Example(
            verdict.candidate.query,
            " ".join(chunks[verdict.candidate.chunk_id].passage.split())[:160],
            verdict.candidate.style,
            verdict.split,
            verdict.reason,
        )
        for verdict in shown
    )


def _counts(values: Any) -> dict[str, int]:
    return dict(Counter(values).most_common())
