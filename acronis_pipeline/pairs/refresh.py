"""Bringing the pairs table up to date with the chunks table."""

import json
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from acronis_pipeline import schemas
from acronis_pipeline.errors import EmptyCorpusError
from acronis_pipeline.fingerprint import digest_rows
from acronis_pipeline.pairs import filters, splits
from acronis_pipeline.pairs.generator import Candidate, Chunk, Generation, Generator, LlmUsage, read_chunks
from acronis_pipeline.pairs.llm import LlmGenerator
from acronis_pipeline.pairs.structural import StructuralGenerator
from acronis_pipeline.settings import LlmSettings, PairSettings
from acronis_pipeline.store import Store

_log = logging.getLogger(__name__)
_N_EXAMPLES = 12


@dataclass(frozen=True)
class Example:
    """A kept pair for a person's eye."""

    query: str
    style: str
    split: str
    title: str
    passage_start: str


@dataclass(frozen=True)
class PairsResult:
    """What a refresh left in the pairs table, and what it took to get there.

    `by_style`, `by_split` and `by_generator` count kept pairs; `added`, `removed` and `kept_unchanged` count rows of
    the table, rejected ones included; `failures` counts chunks that gave no query, by reason.
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
    llm: LlmUsage
    duration_s: float


def refresh(store: Store, options: PairSettings, llm: LlmSettings) -> PairsResult:
    """Make the pairs table follow the chunks table.

    Questions are generated for chunks that the configured generators have not asked yet; pairs whose chunk, generator
    or prompt is gone are retired. Filters and splits then judge all candidates anew, because what is ambiguous or a
    near-duplicate depends on the whole corpus. One new version of the table, or none if nothing changed.

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
    candidates, generations = _candidates(before, chunks, _generators(store, chunks, options, llm))
    groups = splits.page_groups(chunks)
    split_of = splits.refresh(store, groups, options)
    by_id = {chunk.chunk_id: chunk for chunk in chunks}
    benched = splits.benched(groups, split_of)
    asked = splits.gold_texts(store)
    verdicts = filters.judge(candidates, by_id, split_of, benched, options.max_copy_rate, asked)
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
        failures=_counts(
            reason for generation in generations for reason, n in generation.failures.items() for _ in range(n)
        ),
        pages_by_split=_counts(split_of.values()),
        added=written.inserted,
        removed=written.deleted,
        kept_unchanged=len(verdicts) - written.inserted - written.updated,
        table_version=written.version,
        data_version=digest_rows((v.candidate.pair_id, v.candidate.query, sorted(v.chunk_ids), v.split) for v in kept),
        examples=_examples(kept, by_id),
        llm=_total(generation.usage for generation in generations),
        duration_s=time.monotonic() - started,
    )
    _log.info("%d pairs kept, %d rejected in %.1f s: %s", result.n_kept, result.n_rejected, result.duration_s,
              dict(result.by_style))  # fmt: skip
    return result


def _generators(store: Store, chunks: Sequence[Chunk], options: PairSettings, llm: LlmSettings) -> list[Generator]:
    generators: list[Generator] = []
    if options.generator in {"structural", "both"}:
        generators.append(StructuralGenerator(chunks, options.max_per_chunk))
    if options.generator in {"llm", "both"}:
        generators.append(LlmGenerator(llm, store))
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
            Candidate(row["query"], row["chunk_ids"][0], row["style"], row["generator"], row["prompt_hash"])
            for row in before
            if row["generator"] == generator.name
            and row["prompt_hash"] == generator.prompt_hash
            and row["chunk_ids"][0] in alive
        ]
        asked = {candidate.chunk_id for candidate in known}
        new = [chunk for chunk in chunks if chunk.chunk_id not in asked]
        _log.info("%s: %d of %d chunks to ask", generator.name, len(new), len(chunks))
        generation = generator.generate(new) if new else Generation(())
        generations.append(generation)
        for candidate in (*known, *generation.candidates):
            found.setdefault(candidate.pair_id, candidate)
    return sorted(found.values(), key=lambda candidate: candidate.pair_id), generations


def _rows(store: Store) -> list[dict[str, Any]]:
    columns = ["query", "chunk_ids", "style", "generator", "prompt_hash"]
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
            "copy_rate": verdict.copy_rate,
            "scores": json.dumps({}),
        }
        for verdict in verdicts
    ]
    return pa.Table.from_pylist(rows, schema=schemas.PAIRS)


def _examples(kept: Sequence[filters.Verdict], chunks: Mapping[str, Chunk]) -> tuple[Example, ...]:
    """A few kept pairs of every style in turn; which ones depends on their ids only."""
    by_style: dict[str, list[filters.Verdict]] = {}
    for verdict in kept:
        by_style.setdefault(verdict.candidate.style, []).append(verdict)
    share = max(1, _N_EXAMPLES // len(by_style))
    shown = [verdict for style in sorted(by_style) for verdict in by_style[style][:share]][:_N_EXAMPLES]
    return tuple(
        Example(
            verdict.candidate.query,
            verdict.candidate.style,
            verdict.split,
            chunks[verdict.candidate.chunk_id].title,
            " ".join(chunks[verdict.candidate.chunk_id].text.split())[:160],
        )
        for verdict in shown
    )


def _counts(values: Any) -> dict[str, int]:
    return dict(Counter(values).most_common())


def _total(usages: Any) -> LlmUsage:
    total = LlmUsage()
    for usage in usages:
        total = replace(
            total,
            requests=total.requests + usage.requests,
            cache_hits=total.cache_hits + usage.cache_hits,
            prompt_tokens=total.prompt_tokens + usage.prompt_tokens,
            completion_tokens=total.completion_tokens + usage.completion_tokens,
        )
    return total
