"""Pictures of a report, as PNG bytes."""

from acronis_pipeline.evaluate.report import Report
from acronis_pipeline.figures import canvas, png

_COLOURS = {"synthetic": "#1f5fa8", "human": "#d9822b"}


def ndcg_with_intervals(report: Report) -> bytes:
    """nDCG@10 of every system with its 95 % interval, synthetic and human questions side by side."""
    names = [system.name for system in report.systems]
    sets = [name for name in _COLOURS if any(score.question_set == name for score in report.scores)]
    figure, axes = canvas(8, 1.2 + 0.6 * len(names))
    for offset, question_set in enumerate(sets):
        scores = [score for score in report.scores if score.question_set == question_set]
        values = [score.metrics["ndcg_at_10"] for score in scores]
        axes.errorbar(
            [value.mean for value in values],
            [names.index(score.system.name) + 0.18 * (offset - (len(sets) - 1) / 2) for score in scores],
            xerr=[[v.mean - v.low for v in values], [v.high - v.mean for v in values]],
            fmt="o",
            capsize=4,
            color=_COLOURS[question_set],
            label=f"{question_set} (n = {scores[0].n})",
        )
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.set_xlabel("nDCG@10 with 95 % interval")
    axes.set_title(f"Recipe {report.recipe}")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="lower left", frameon=False)
    return png(figure)
