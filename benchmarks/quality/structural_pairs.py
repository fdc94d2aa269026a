"""Train on structural pairs made from a corpus alone, then ask the questions that people wrote about it.

    python benchmarks/quality/structural_pairs.py product_docs=questions.json mtrag=human_questions.json \
        --out benchmarks/results/structural-pairs.json

Each argument is NAME=PATH of a labelled dataset (LlamaIndex JSON or a BEIR folder). Its passages go through the
pipeline's own synthetic_pairs stage, which never sees its questions; the recipe trains on the pairs, checkpoint and
fusion weights are chosen on the pairs of held-out pages, and the dataset's questions are only ever evaluated on. Prints
the tables and the paired tests, and writes what there is after each dataset; `--keep` keeps vectors and models for the
next run.
"""

import argparse
import json
import logging
import re
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from question_rows import Rows, rows_of

from acronis_pipeline import evaluate, index, pairs
from acronis_pipeline.core.dataset import RetrievalDataset
from acronis_pipeline.core.settings import Settings, load_settings
from acronis_pipeline.evaluate import EvaluationSetup, Report, scoring
from acronis_pipeline.evaluate.questions import as_customers_would
from acronis_pipeline.finetune.recipe import load_recipe
from acronis_pipeline.models import records
from acronis_pipeline.models.indexed import indexed_base, indexed_model
from acronis_pipeline.pairs import labelled_datasets
from acronis_pipeline.reporting import view
from acronis_pipeline.store import Store, tables

_SPAN = re.compile(r"^(.+?)[-_]\d+-\d+(?:-\d+-\d+)?$")
_TITLE_WORDS = 16


def page_of(passage_id: str) -> str:
    """The document that a passage was cut from: ids end in `#section` or in character offsets."""
    span = _SPAN.match(passage_id)
    return passage_id.split("#")[0] if "#" in passage_id else span.group(1) if span else passage_id


def title_and_text(passage: str) -> tuple[str, str]:
    """A first line that reads as a heading, and the rest; some corpora repeat it."""
    first, _, rest = passage.strip().partition("\n")
    rest = rest.strip().removeprefix(first.strip()).strip()
    is_heading = rest and len(first.split()) <= _TITLE_WORDS and not first.rstrip().endswith(".")
    return (first.strip(), rest) if is_heading else ("", passage)


def write_chunks(store: Store, dataset: RetrievalDataset) -> None:
    """The corpus as the chunk stage would have left it."""
    seen: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    for passage in dataset.passages:
        page = page_of(passage.chunk_id)
        title, text = title_and_text(passage.text)
        values = {
            "chunk_id": passage.chunk_id,
            "url": page,
            "title": title,
            "heading_path": [],
            "ordinal": seen[page],
            "text": text,
            "passage": passage.text,
            "cluster_id": passage.cluster_id,
            "language": "en",
        }
        rows.append({**dict.fromkeys(tables.CHUNKS.schema.names), **values})
        seen[page] += 1
    store.sync(tables.CHUNKS, tables.CHUNKS.rows(rows))


def measure(path: Path, recipes: list[str], settings: Settings, folder: Path) -> tuple[dict[str, Any], list[Report]]:
    """Make pairs, train every recipe, and evaluate base, BM25, tuned and hybrids on the dataset's questions."""
    store = Store(str(folder / "lancedb"))
    _, asked = labelled_datasets.load(None, path)
    write_chunks(store, asked)
    started = time.monotonic()
    made = pairs.refresh(store, settings.pairs, settings.llm, settings.model)
    made_s = time.monotonic() - started
    learning = pairs.load_dataset(store)
    reports, rows_by_recipe, training = [], {}, {}
    for name in recipes:
        model = records.refresh(
            store, load_recipe(name, settings.recipes_dir), learning, folder / "models", running=settings.model
        ).record
        base, tuned = indexed_base(model, settings.model), indexed_model(model, settings.model)
        rows = index.passage_rows(asked.passages)
        for indexed in (base, tuned):
            index.refresh_from(store, indexed, rows)
        reworded = tuple(as_customers_would(question.query) for question in learning.validation)
        test, validation = (
            EvaluationSetup(asked.test, base, tuned),
            EvaluationSetup(learning.validation, base, tuned, reworded),
        )
        reports.append(evaluate.evaluate(store, name, test, validation).report)
        rows_by_recipe[name] = rows_of(reports[-1], asked, store, settings)
        training[name] = {"seconds": round(model.metrics["seconds"], 1), "chosen": model.metrics["chosen"]}
    result = {
        "n_questions": len(asked.test),
        "n_passages": len(asked.passages),
        "pairs": {"kept": made.n_kept, "by_style": made.by_style, "by_split": made.by_split,
                  "rejected": made.reject_reasons, "seconds": round(made_s, 1)},
        "training": training,
        "table": view.table_rows(reports),
        "comparisons": [
            {"recipe": report.recipe, "a": c.a, "b": c.b, "metric": c.metric, **asdict(c.difference)}
            for report in reports
            for c in report.comparisons
        ],
        "against_the_first_base": against_the_base(rows_by_recipe),
    }  # fmt: skip
    return result, reports


def against_the_base(rows: dict[str, Rows]) -> list[dict[str, Any]]:
    """Paired differences of nDCG@10 of every recipe's systems from the first recipe's untouched base.

    Name a recipe without windows first: the base of a recipe with windows has them too.
    """
    base = next(iter(rows.values()))["base"]
    return [
        {
            "recipe": recipe,
            "system": system,
            "metric": "ndcg_at_10",
            **asdict(scoring.compare("synthetic", systems[system], base).difference),
        }
        for recipe, systems in rows.items()
        for system in systems
        if systems[system] is not base
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="+", metavar="NAME=PATH")
    parser.add_argument("--recipes", default="query_adapter", help="comma-separated")
    parser.add_argument("--recipes-dir", type=Path, help="folder with recipes of your own")
    parser.add_argument("--pairs", type=json.loads, default={}, help="JSON of pair settings other than the defaults")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--keep", type=Path, help="folder for vectors and models, reused by the next run")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    results: dict[str, Any] = {}
    with ExitStack() as stack:
        folder = arguments.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = load_settings(folder, pairs=arguments.pairs, recipes_dir=arguments.recipes_dir)
        for name, path in (argument.split("=", 1) for argument in arguments.datasets):
            results[name], reports = measure(Path(path), arguments.recipes.split(","), settings, folder / name)
            print(f"\n{name}\n{view.table_as_text(reports)}")
            for c in results[name]["comparisons"]:
                print(f"{c['recipe']}: {c['a']} - {c['b']} = {c['mean']:+.3f} [{c['low']:+.3f}, {c['high']:+.3f}], "
                      f"p {c['p_value']:.3f}")  # fmt: skip
            print("\nagainst the first recipe's untouched base, nDCG@10")
            for c in results[name]["against_the_first_base"]:
                print(f"{c['recipe']} {c['system']}: {c['mean']:+.3f} [{c['low']:+.3f}, {c['high']:+.3f}], "
                      f"p {c['p_value']:.4f}")  # fmt: skip
            if arguments.out:
                arguments.out.write_text(json.dumps(results, indent=1, default=str) + "\n", "utf-8")


if __name__ == "__main__":
    main()
