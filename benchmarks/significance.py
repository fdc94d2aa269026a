"""How often the champion's decision is right, on simulated reports whose truth is known.

    python benchmarks/significance.py --out benchmarks/results/significance.json [--n 400] [--simulations 1000]
        [--effect 0.03] [--data DIR]

Equal systems must be promoted in at most 5 % of the comparisons; a system that is better by `--effect` nDCG@10 should
be promoted in at least 80 %, which depends on how much two systems differ from question to question: the scenarios
span what reports show, from two trainings of one model to a dense model against BM25. The decision is the product's own
(`evaluate.decision.decide`), from reports and per-question results. `--data` adds the spread of the differences in the
newest reports of a data folder, to see which scenario a site resembles.
"""

import argparse
import itertools
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from acronis_pipeline import evaluate
from acronis_pipeline.champion import decide
from acronis_pipeline.store import Store
from acronis_pipeline_tests.champion.simulated_reports import OPPONENT, Scenario, Spread, simulate, spread, spread_of

SCENARIOS = (
    Scenario("two trainings of one model, or two of its hybrids", shared=0.985),
    Scenario("a tuned model and its base, or a hybrid and BM25", shared=0.945),
    Scenario("the same, on few long pages", shared=0.945, on_page=0.3, most_on_page=20),
    Scenario("the same, the ranks of one all or nothing", shared=0.945, candidate_missed=0.2),
    Scenario("the same, with 70 human questions", shared=0.945, n_human=70),
    Scenario("the same, with 70 human questions and three candidates", shared=0.945, n_human=70, n_candidates=3),
    Scenario("models of different kinds", shared=0.85),
    Scenario("a dense model and BM25", shared=0.4),
)


def promoted(scenario: Scenario, n: int, effect: float, simulations: int, seed: int) -> dict[str, float]:
    """Share of simulated reports in which a candidate takes the opponent's place, with its 95 % interval."""
    rng = np.random.default_rng(seed)
    times = sum(decide(*simulate(scenario, n, effect, rng)).winner.system.name != OPPONENT for _ in range(simulations))
    interval = binomtest(times, simulations).proportion_ci()
    return {"share": times / simulations, "low": round(interval.low, 4), "high": round(interval.high, 4)}


def measured(data: Path) -> list[dict[str, Any]]:
    """Spread of the differences between every two systems of the newest reports, on test questions."""
    store = Store(str(data / "lancedb"))
    found: list[dict[str, Any]] = []
    for report in evaluate.latest_reports(store):
        values: dict[str, dict[str, tuple[float, str]]] = defaultdict(dict)
        for row in evaluate.question_results(store, [report.report_id]).to_pylist():
            if row["question_set"] == "synthetic":
                values[row["system"]][row["question_id"]] = (row["ndcg_at_10"], row["page_group"])
        for a, b in itertools.combinations(values, 2):
            left, right = (np.array([values[name][question][0] for question in values[a]]) for name in (a, b))
            page = np.unique([page for _, page in values[a].values()], return_inverse=True)[1]
            found.append({"recipe": report.recipe, "a": a, "b": b, "n": len(left), "pages": int(page.max()) + 1,
                          **_rounded(spread_of(left, right, page))})  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=400, help="test questions of a report")
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--effect", type=float, default=0.03, help="true difference in nDCG@10")
    parser.add_argument("--data", type=Path, help="data folder of a finished run")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    results: list[dict[str, Any]] = []
    for seed, scenario in enumerate(SCENARIOS):
        started = time.monotonic()
        results.append({
            "scenario": vars(scenario), **_rounded(spread(scenario)),
            "promoted_if_equal": promoted(scenario, arguments.n, 0.0, arguments.simulations, seed),
            "promoted_if_better": promoted(scenario, arguments.n, arguments.effect, arguments.simulations, seed),
            "seconds": round(time.monotonic() - started, 1),
        })  # fmt: skip
        print(json.dumps(results[-1]), flush=True)
    found = {"n": arguments.n, "simulations": arguments.simulations, "effect": arguments.effect, "results": results}
    if arguments.data:
        found["measured"] = measured(arguments.data)
    if arguments.out:
        arguments.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


def _rounded(value: Spread) -> dict[str, float]:
    return {name: round(figure, 3) for name, figure in vars(value).items()}


if __name__ == "__main__":
    main()
