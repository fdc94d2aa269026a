"""What the words of a passage's best excerpt add to BM25 and to a hybrid of the untouched base.

    python benchmarks/quality/excerpts.py annual_report_train=train_dataset.json product_docs=questions.json \\
        --words 50,100,150 --keep FOLDER --out benchmarks/results/excerpts.json

Each argument is NAME=PATH of a labelled dataset (LlamaIndex JSON or a BEIR folder), all of whose questions are asked.
The base is that of the packaged recipe `query_adapter`; nothing is trained. A hybrid has a fixed weight, so that
nothing is chosen either. Systems with excerpts are compared with the ones without, question by question. `--words` are
lengths of excerpts, which overlap by half. nDCG@10 with 95 % intervals.
"""

import argparse
import json
import logging
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from acronis_pipeline import encoders, index
from acronis_pipeline.core.dataset import RetrievalDataset
from acronis_pipeline.encoders import Encoder
from acronis_pipeline.evaluate import scoring
from acronis_pipeline.evaluate.questions import Corpus, from_pairs
from acronis_pipeline.evaluate.scoring import ResultRow
from acronis_pipeline.finetune import load_recipe
from acronis_pipeline.finetune.base_model import describe_base
from acronis_pipeline.index import excerpts
from acronis_pipeline.pairs import labelled_datasets
from acronis_pipeline.retrieve import Batch, Ranking, System, open_checked, search
from acronis_pipeline.store import Store

_DEPTH = 200
_SHOWN = "ndcg_at_10"


class WithoutExcerpts(search.WordLists):
    """Gives a hybrid plain BM25."""

    @property
    def with_excerpts(self) -> list[Ranking]:
        return self.of_passages


def ask(
    dataset: RetrievalDataset, store: Store, table: str, base: Encoder, weight: float, words: int
) -> dict[str, Any]:
    """Scores and paired differences of one length of excerpts."""
    excerpts.WORDS = words
    index.refresh_from(store, index.IndexedModel(table, base), index.passage_rows(dataset.passages))
    hybrid, bm25 = System("hybrid", "hybrid", table, weight), System("bm25", "bm25", table)
    corpus = Corpus(index.read_content(store, table))
    questions = from_pairs(dataset.test, corpus)
    queries, tables = [question.query for question in questions], open_checked(store, hybrid, base)
    batch = Batch(tables, queries, base, _DEPTH)
    plain = Batch(tables, queries, base, _DEPTH, WithoutExcerpts(tables, queries, _DEPTH))

    def rows(system: System, rankings: Sequence[Ranking]) -> list[ResultRow]:
        return scoring.score_questions(system, questions, rankings, corpus)

    found = {
        "bm25": rows(bm25, plain.words.of_passages),
        "bm25 with excerpts": rows(bm25, batch.words.with_excerpts),
        "dense": rows(System("base", "dense", table), batch.dense_lists),
        "hybrid": rows(hybrid, plain.rankings(hybrid)),
        "hybrid with excerpts": rows(hybrid, batch.rankings(hybrid)),
    }
    return {
        "words": words,
        "excerpts_a_passage": round(store.count(tables.excerpts(table)) / len(dataset.passages), 1),
        "scores": {name: _score(name, scored) for name, scored in found.items()},
        "gains": {
            name: asdict(scoring.compare("synthetic", found[f"{name} with excerpts"], found[name]).difference)
            for name in ("bm25", "hybrid")
        },
    }


def _score(name: str, rows: Sequence[ResultRow]) -> dict[str, Any]:
    metrics = scoring.summarize(System(name, "bm25", ""), None, "synthetic", rows).metrics
    return {metric: asdict(metrics[metric]) for metric in (_SHOWN, "hit_rate_at_5")}


def as_markdown(results: dict[str, Any]) -> str:
    lines = [
        "| corpus | n | words | BM25 | with excerpts | difference | hybrid | with excerpts | difference |",
        "|:--|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, result in results.items():
        for found in result["lengths"]:
            cells = [name, str(result["n_questions"]), str(found["words"])]
            for system in ("bm25", "hybrid"):
                gain = found["gains"][system]
                cells += [
                    f"{found['scores'][shown][_SHOWN]['mean']:.3f}" for shown in (system, f"{system} with excerpts")
                ]
                cells.append(f"{gain['mean']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]")
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="+", metavar="NAME=PATH")
    parser.add_argument("--words", default=str(excerpts.WORDS), help="comma-separated lengths of excerpts")
    parser.add_argument("--weight", type=float, default=0.5, help="share of the dense score in the hybrid")
    parser.add_argument("--keep", type=Path, help="folder for vectors and tables, reused by the next run")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    recipe, results = load_recipe("query_adapter"), {}
    base = encoders.load(encoders.find_base(recipe.base_model), describe_base(recipe), device="cpu")
    with ExitStack() as stack:
        folder = arguments.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = Store(str(folder / "lancedb"))
        for name, path in (argument.split("=", 1) for argument in arguments.datasets):
            _, dataset = labelled_datasets.load(None, Path(path))
            lengths = [
                ask(dataset, store, f"passages_{name}", base, arguments.weight, int(words))
                for words in arguments.words.split(",")
            ]
            results[name] = {
                "n_questions": len(dataset.test),
                "n_passages": len(dataset.passages),
                "dense_weight": arguments.weight,
                "lengths": lengths,
            }
            if arguments.out:
                arguments.out.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print(as_markdown(results))


if __name__ == "__main__":
    main()
