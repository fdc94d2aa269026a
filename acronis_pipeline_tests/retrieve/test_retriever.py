from dataclasses import replace

import numpy as np
import pytest

from acronis_pipeline import index
from acronis_pipeline.core.errors import IdentityMismatchError
from acronis_pipeline.core.settings import IndexSettings
from acronis_pipeline.encoders import PACKAGED_BASE, DeferredEncoder, describe, find_base, load_base
from acronis_pipeline.index.rows import marked
from acronis_pipeline.retrieve import Retriever, System
from acronis_pipeline.retrieve.ranking import first_of_each
from acronis_pipeline.store import Store, tables
from acronis_pipeline_tests.index.corpora import (
    WindowedWordEncoder,
    WordEncoder,
    chunk,
    identity_of_another_model,
    write_chunks,
)
from acronis_pipeline_tests.needs import needs
from acronis_pipeline_tests.retrieve.cross_encoders import write_cross_encoder

TABLE = "passages_words"
TOPICS = ["restore files", "retention schedule", "trial licence", "agent install", "encryption password"]
VERBS = ["configure", "monitor", "troubleshoot", "plan", "automate", "review", "export", "import", "share"]
CORPUS = [
    chunk(f"c{t}{v}", f"How to {verb} the {topic} in the console, page{t}{v}")
    for t, topic in enumerate(TOPICS)
    for v, verb in enumerate(VERBS)
] + [
    chunk("pro", "Versioning keeps several versions of the same file", cluster="versions"),
    chunk("home", "Versioning keeps several versions of the same file", cluster="versions"),
]
QUERIES = ["restore my files", "which trial licence", "monitor retention", "several versions of a file", "zzz", "the"]
SYSTEMS = [
    System("bm25", "bm25", TABLE),
    System("base", "dense", TABLE),
    System("hybrid", "hybrid", TABLE, 0.4),
    System("fused", "hybrid", TABLE, fusion="reciprocal_rank"),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(str(tmp_path_factory.mktemp("lancedb")))
    write_chunks(store, CORPUS)
    encoder = WordEncoder()
    index.refresh(store, index.IndexedModel(TABLE, encoder))
    return store


@pytest.fixture(scope="module")
@needs("model")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_cross_encoder(tmp_path_factory.mktemp("cross_encoder")))


@pytest.mark.parametrize("candidates", [10, 200])
@pytest.mark.parametrize("rerank", [False, True], ids=["", "rerank"])
@pytest.mark.parametrize("mmr", [None, 0.6], ids=["", "mmr"])
@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_one_question_and_a_batch_are_ranked_alike(
    store: Store, cross_encoder: str, system: System, mmr: float | None, rerank: bool, candidates: int
) -> None:
    system = replace(system, mmr=mmr, reranker=cross_encoder if rerank else None, rerank_depth=6)
    retriever = Retriever(store, system, WordEncoder(), candidates, device="cpu")
    cluster_of = {row["chunk_id"]: row["cluster_id"] for row in CORPUS}
    for query, ranking in zip(QUERIES, retriever.rank(QUERIES), strict=True):
        hits = retriever.retrieve(query, 8)
        expected = first_of_each(ranking, cluster_of)[:8]
        assert [hit.chunk_id for hit in hits] == [chunk_id for chunk_id, _ in expected]
        assert [hit.score for hit in hits] == pytest.approx([score for _, score in expected], abs=1e-4)
        assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))


@pytest.mark.parametrize("mmr", [None, 0.6], ids=["", "mmr"])
@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_windows_are_ranked_alike_one_by_one_and_in_a_batch(
    windowed: dict[int, Store], system: System, mmr: float | None
) -> None:
    encoder, system = WindowedWordEncoder(), replace(system, mmr=mmr)
    retriever = Retriever(windowed[100_000], system, encoder, 50)
    for query, ranking in zip(QUERIES, retriever.rank(QUERIES), strict=True):
        hits = retriever.retrieve(query, 5)
        assert [hit.score for hit in hits] == pytest.approx([score for _, score in ranking[:5]], abs=1e-4)
        if system.needs_encoder:
            own = encoder.encode_windows([hit.passage for hit in hits]).similarities(encoder.encode_queries([query]))
            assert [hit.similarity for hit in hits] == pytest.approx(own[0].tolist(), abs=1e-4)


def test_an_index_of_windows_finds_what_exact_search_finds(windowed: dict[int, Store]) -> None:
    exact, indexed = (Retriever(windowed[fewest], SYSTEMS[1], WindowedWordEncoder(), 10) for fewest in (100_000, 1_000))
    queries = ["res" + letter + " ret" + letter for letter in "abcdefghijklmno"]
    shared = [
        len({hit.chunk_id for hit in exact.retrieve(q, 10)} & {hit.chunk_id for hit in indexed.retrieve(q, 10)})
        for q in queries
    ]
    assert np.mean(shared) >= 9.5


def test_the_sentence_of_a_long_passage_is_found_by_its_window(windowed: dict[int, Store], store: Store) -> None:
    question = "quokka sapphire"
    hits = Retriever(windowed[100_000], SYSTEMS[1], WindowedWordEncoder()).retrieve(question, 1)
    assert hits[0].chunk_id == "long7"
    assert hits[0].similarity is not None
    whole = WordEncoder().encode_passages([hits[0].passage]) @ WordEncoder().encode_queries([question])[0]
    assert hits[0].similarity > whole[0] + 0.2


@pytest.fixture(scope="module")
def windowed(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Store]:
    """Three hundred passages of some forty words each, with windows: searched exactly, and by an index."""
    rng = np.random.default_rng(0)
    vocabulary = [f"{a}{b}" for a in ("res", "ret", "tri", "age", "enc") for b in "abcdefghijklmno"]
    texts = [" ".join(rng.choice(vocabulary, size=rng.integers(4, 60))) for _ in range(300)]
    texts[7] += " quokka sapphire ledger"
    stores: dict[int, Store] = {}
    for fewest in (100_000, 1_000):  # a tenth of it with windows
        stores[fewest] = Store(str(tmp_path_factory.mktemp("windowed")))
        write_chunks(stores[fewest], [chunk(f"long{n}", text) for n, text in enumerate(texts)])
        encoder = WindowedWordEncoder()
        settings = IndexSettings(ann_min_rows=fewest, vectors="int4", recall=0.98, keep_models=3)
        made = index.refresh(stores[fewest], index.IndexedModel(TABLE, encoder), settings)
        assert made.search.exact == (fewest == 100_000)
        assert made.search.recall_at_10 >= 0.98
    return stores


def test_dense_ranking_is_the_cosine_order(store: Store) -> None:
    encoder = WordEncoder()
    ids = [row["chunk_id"] for row in CORPUS]
    cosine = encoder.encode_queries(QUERIES[:1]) @ encoder.encode_passages([row["passage"] for row in CORPUS]).T
    best = ids[int(np.argmax(cosine))]
    hit = Retriever(store, SYSTEMS[1], encoder).retrieve(QUERIES[0], 1)[0]
    assert (hit.chunk_id, hit.score) == (best, pytest.approx(float(cosine.max()), abs=1e-4))


def test_near_duplicates_are_shown_once(store: Store) -> None:
    hits = Retriever(store, SYSTEMS[2], WordEncoder()).retrieve("several versions of the same file", 10)
    assert hits[0].cluster_id == "versions"
    assert [hit.cluster_id for hit in hits].count("versions") == 1


def test_more_clusters_are_read_until_k_are_found(tmp_path) -> None:
    store = Store(str(tmp_path))
    copies = [chunk(f"copy{n:02}", "restore backup files quickly", cluster="same") for n in range(40)]
    write_chunks(store, [*copies, chunk("other", "restore something else")])
    encoder = WordEncoder()
    index.refresh(store, index.IndexedModel(TABLE, encoder))
    hits = Retriever(store, SYSTEMS[0], None).retrieve("restore backup files quickly", 2)
    assert [hit.cluster_id for hit in hits] == ["same", "other"]


@pytest.mark.parametrize(
    "question",
    [
        '"restore files"',
        'restore AND (files OR "',
        "title:restore ^2 ~ * ? \\ [",
        "O'Reilly's; DROP TABLE files --",
        "+a -b",
    ],
)
def test_question_is_never_parsed_as_query_syntax(store: Store, question: str) -> None:
    for system in SYSTEMS:
        Retriever(store, system, WordEncoder()).retrieve(question, 3)


def test_quoted_question_finds_what_the_plain_one_finds(store: Store) -> None:
    retriever = Retriever(store, SYSTEMS[0], None)
    assert retriever.retrieve('"restore files"', 5) == retriever.retrieve("restore files", 5)


def test_stems_and_case_are_folded_and_stop_words_ignored(store: Store) -> None:
    retriever = Retriever(store, SYSTEMS[0], None)
    assert [hit.chunk_id for hit in retriever.retrieve("RESTORING a file", 3)] == [
        hit.chunk_id for hit in retriever.retrieve("restored Files", 3)
    ]
    assert retriever.retrieve("the of and", 3) == []


def test_hybrid_answers_by_vectors_where_no_word_matches(store: Store) -> None:
    assert len(Retriever(store, SYSTEMS[2], WordEncoder()).retrieve("zzz", 3)) == 3


def test_model_of_other_vectors_is_refused(store: Store) -> None:
    stranger = DeferredEncoder(identity_of_another_model(), WordEncoder)
    with pytest.raises(IdentityMismatchError, match=TABLE):
        Retriever(store, SYSTEMS[1], stranger)
    with pytest.raises(IdentityMismatchError, match="got none"):
        Retriever(store, SYSTEMS[2], None)


def test_query_side_of_another_model_is_refused_though_documents_match(store: Store) -> None:
    with pytest.raises(IdentityMismatchError, match="adapted"):
        Retriever(store, SYSTEMS[1], WordEncoder("adapted"))


def test_unfinished_index_is_named(tmp_path) -> None:
    store = Store(str(tmp_path))
    identity = WordEncoder().identity
    store.create(marked(tables.passages(TABLE, identity.dimension), identity))
    with pytest.raises(IdentityMismatchError, match="interrupted"):
        Retriever(store, SYSTEMS[0], None)


def test_retriever_sees_passages_added_after_it_was_opened(tmp_path) -> None:
    store = Store(str(tmp_path))
    encoder = WordEncoder()
    write_chunks(store, CORPUS)
    index.refresh(store, index.IndexedModel(TABLE, encoder))
    retriever = Retriever(store, SYSTEMS[2], encoder)
    write_chunks(store, [*CORPUS, chunk("new", "Quantum entanglement snapshots")])
    index.refresh(Store(str(tmp_path)), index.IndexedModel(TABLE, encoder))
    assert retriever.retrieve("quantum entanglement", 1)[0].chunk_id == "new"


def test_hybrid_without_a_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="dense_weight"):
        System("hybrid", "hybrid", TABLE)


@pytest.mark.model
def test_packaged_model_finds_a_paraphrase_that_shares_no_word(tmp_path) -> None:
    store = Store(str(tmp_path))
    write_chunks(
        store,
        [
            chunk("cost", "The subscription is billed every month by credit card."),
            chunk("rto", "Most machines are running again within fifteen minutes after a disaster."),
            chunk("agents", "Install the agent on Windows, Linux or macOS."),
        ],
    )
    identity = describe(find_base(PACKAGED_BASE), base=PACKAGED_BASE, max_seq_length=128)
    encoder = load_base(PACKAGED_BASE, max_seq_length=128, device="cpu")
    index.refresh(store, index.IndexedModel(TABLE, DeferredEncoder(identity, lambda: encoder)))
    hits = Retriever(store, SYSTEMS[1], encoder).retrieve("How fast do servers recover from a crisis?", 1)
    assert hits[0].chunk_id == "rto"
