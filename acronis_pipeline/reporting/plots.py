"""Pictures of a report and of a training, as PNG bytes, for where a page cannot be shown."""

from collections.abc import Mapping, Sequence

from acronis_pipeline.core.figures import canvas, png
from acronis_pipeline.evaluate.metrics import PRIMARY
from acronis_pipeline.evaluate.report import Report
from acronis_pipeline.evaluate.significance import Difference, Interval

_COLOURS = {"synthetic": "#1f5fa8", "human": "#d9822b"}

_Rows = dict[str, dict[str, Interval | Difference]]
"""For every set, a value by the name of its row."""
_NOT_VALIDATION = {"step", "epoch", "loss", "lr"}
_CURVE_COLOURS = ("#1f5fa8", "#d9822b", "#3a8a5f", "#8a4fa3")


def ndcg_with_intervals(report: Report) -> bytes:
    """nDCG@10 of every system with its 95 % interval, synthetic and human questions side by side."""
    rows: _Rows = {question_set: {} for question_set in _COLOURS}
    for score in report.scores:
        rows[score.question_set][score.system.name] = score.metrics[PRIMARY]
    return _intervals([system.name for system in report.systems], rows, report, "nDCG@10 with 95 % interval")


def differences(report: Report) -> bytes:
    """Paired differences of nDCG@10 with their 95 % intervals."""
    rows: _Rows = {
        question_set: {f"{pair.a} − {pair.b}": pair.difference for pair in report.pairs(question_set)}
        for question_set in _COLOURS
    }
    names = list(dict.fromkeys(name for part in rows.values() for name in part))
    return _intervals(names, rows, report, "difference of nDCG@10 with 95 % interval")


def _intervals(names: Sequence[str], rows: _Rows, report: Report, label: str) -> bytes:
    """A dot with whiskers for every row and set that has a value."""
    figure, axes = canvas(8, 1.2 + 0.5 * len(names))
    sets = [question_set for question_set in _COLOURS if rows[question_set]]
    for offset, question_set in enumerate(sets):
        values = rows[question_set]
        axes.errorbar(
            [value.mean for value in values.values()],
            [names.index(name) + 0.18 * (offset - (len(sets) - 1) / 2) for name in values],
            xerr=[[v.mean - v.low for v in values.values()], [v.high - v.mean for v in values.values()]],
            fmt="o",
            capsize=4,
            color=_COLOURS[question_set],
            label=f"{question_set} (n = {next(s.n for s in report.scores if s.question_set == question_set)})",
        )
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    if any(isinstance(value, Difference) for values in rows.values() for value in values.values()):
        axes.axvline(0, color="#55606f", linewidth=1)
    else:
        axes.set_xlim(0, 1)
    axes.set_xlabel(label)
    axes.set_title(f"Recipe {report.recipe}")
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return png(figure)


def learning_curves(history: Sequence[Mapping[str, float]], chosen: str) -> bytes | None:
    """Loss, and what was measured on validation from step 0 on, over steps; None if nothing was.

    Parameters
    ----------
    history, chosen
        As in `Fitted`.
    """
    names = list(dict.fromkeys(name for entry in history for name in entry if name not in _NOT_VALIDATION))
    if not names:
        return None
    figure, (left, right) = canvas(10, 3.4, columns=2)
    left.plot(*_curve(history, "loss"), marker="o", markersize=3, color=_CURVE_COLOURS[0])
    left.set_ylabel("training loss")
    for number, name in enumerate(names):
        colour = _CURVE_COLOURS[number % len(_CURVE_COLOURS)]
        steps, values = _curve(history, name)
        right.plot(steps, values, marker="o", markersize=3, color=colour, label=name.replace("_at_", "@"))
        right.axhline(values[0], color=colour, linewidth=1, linestyle=":")  # the untouched base
    right.set_ylabel("validation (dotted: the base)")
    right.set_title(f"chosen: {chosen}", fontsize="medium")
    right.legend(fontsize="small")
    for axis in (left, right):
        axis.set_xlabel("step")
        axis.set_xlim(left=0)
        axis.grid(alpha=0.3)
    return png(figure)


def _curve(history: Sequence[Mapping[str, float]], name: str) -> tuple[list[float], list[float]]:
    """Steps, and the values at them; steps without one are left out."""
    points = [(entry["step"], entry[name]) for entry in history if entry.get(name) is not None]
    return [step for step, _ in points], [value for _, value in points]
