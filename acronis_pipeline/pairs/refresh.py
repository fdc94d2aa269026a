"""Bringing the pairs table up to date with the chunks table."""

import json
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from acronis_pipeline import encoders
from acronis_pipeline.core.errors import EmptyCorpusError
from acronis_pipeline.core.hashing import digest_rows
from acronis_pipeline.core.settings import LlmSettings, ModelSettings, PairSettings
from acronis_pipeline.encoders import Encoder, describe, find_base
from acronis_pipeline.llm import LlmSession, LlmUsage
from acronis_pipeline.pairs import filters, interchange, splits
from acronis_pipeline.pairs.filters import Case, Site
from acronis_pipeline.pairs.generator import Candidate, Chunk, Generation, Generator, of_other_package, read_chunks
from acronis_pipeline.pairs.generators import link_texts
from acronis_pipeline.pairs.generators.language_model import LlmGenerator
from acronis_pipeline.pairs.generators.link_texts import LinkTextGenerator
from acronis_pipeline.pairs.generators.structural import StructuralGenerator
from acronis_pipeline.pairs.judge import judging, round_trip
from acronis_pipeline.pairs.words import words
from acronis_pipeline.store import Store, tables

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
    columns = ["query", "chunk_ids", "style", "task", "generator", "prompt_hash", "negatives", "removed", "source"]
    before = store.read(tables.PAIRS, columns=columns).to_pylist()
    session = LlmSession(llm, store) if options.uses_llm else None
    generated, generations = _candidates(before, chunks, _generators(store, chunks, options, session))
    brought = interchange.candidates(store, chunks)
    by_pair_id = {candidate.pair_id: candidate for candidate in (*brought.candidates, *generated)}
    candidates = sorted(by_pair_id.values(), key=lambda candidate: candidate.pair_id)
    groups = splits.page_groups(chunks)
    split_of = splits.refresh(store, groups, options)
    site = Site(
        chunks={chunk.chunk_id: chunk for chunk in chunks},
        splits=split_of,
        options=options,
        held_out=splits.held_out(groups, split_of),
        gold_questions=splits.gold_texts(store),
        queries=tuple(candidate.query for candidate in candidates),
    )
    steps = [*filters.STEPS]
    if options.round_trip_k:
        steps.append(round_trip(store, _base(model), options.round_trip_k))
    if session and options.judge == "llm":
        steps.append(judging(session))
    cases = filters.judged(candidates, site, steps)
    kept = [case for case in cases if case.reason is None]
    if not kept:
        reasons = dict(Counter(case.reason for case in cases))
        raise EmptyCorpusError(
            f"none of {len(cases)} questions made from {len(chunks)} chunks was kept ({reasons or 'none made'}); "
            "look at the chunks, or relax pairs.max_copy_rate"
        )
    written = store.sync(tables.PAIRS, _table(cases))
    result = PairsResult(
        n_kept=len(kept),
        n_rejected=len(cases) - len(kept),
        by_style=_counts(case.candidate.style for case in kept),
        by_split=_counts(case.split for case in kept),
        by_generator=_counts(case.candidate.generator for case in kept),
        reject_reasons=_counts(case.reason for case in cases if case.reason),
        failures=dict(sum((Counter(generation.failures) for generation in (*generations, brought)), Counter())),
        pages_by_split=_counts(split_of.values()),
        added=written.inserted,
        removed=written.deleted,
        kept_unchanged=len(cases) - written.inserted - written.updated,
        table_version=written.version,
        data_version=digest_rows(
            (
                case.candidate.pair_id,
                case.candidate.query,
                sorted(case.chunk_ids),
                case.split,
                case.candidate.removed,
                *case.candidate.negatives,
            )
            for case in kept
        ),
        examples=_examples(kept),
        rejected_examples=_examples([case for case in cases if case.reason]),
        n_words=tuple(len(words(case.candidate.query)) for case in kept),
        copy_rates=tuple(case.copy_rate for case in kept),
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
    for name in options.generators:
        if name == "structural":
            generators.append(StructuralGenerator(chunks, options.max_per_chunk, {**options.styles}))
            if options.styles.get("link"):
                generators.append(LinkTextGenerator(link_texts.read(store, chunks)))
        elif name == "llm":
            assert session
            generators.append(LlmGenerator(session))
        else:
            generators.append(of_other_package(name, chunks, options))
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


def _table(cases: Sequence[Case]) -> pa.Table:
    rows = [
        {
            "pair_id": case.candidate.pair_id,
            "query": case.candidate.query,
            "chunk_ids": list(case.chunk_ids),
            "url": case.chunk.url,
            "style": case.candidate.style,
            "task": case.candidate.task,
            "generator": case.candidate.generator,
            "prompt_hash": case.candidate.prompt_hash,
            "split": case.split,
            "status": "rejected" if case.reason else "kept",
            "reject_reason": case.reason,
            "negatives": list(case.candidate.negatives),
            "removed": case.candidate.removed,
            "copy_rate": case.copy_rate,
            "scores": json.dumps(case.scores),
            "source": case.candidate.source,
        }
        for case in cases
    ]
    return tables.PAIRS.rows(rows)


def _examples(cases: Sequence[Case]) -> tuple[Example, ...]:
    """A few pairs of every style (rejected ones: every reason) in turn; which ones depends on their ids only."""
    kinds: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        kinds[case.reason or case.candidate.style].append(case)
    turns = sorted((place, kind) for kind, found in kinds.items() for place in range(len(found)))
    shown = [kinds[kind][place] for place, kind in turns[:_N_EXAMPLES]]
    return tuple(
        Example(
            case.candidate.query,
            " ".join(case.chunk.passage.split())[:160],
            case.candidate.style,
            case.split,
            case.reason,
        )
        for case in shown
    )


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())
