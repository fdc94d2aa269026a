"""Pictures of a training, as PNG bytes."""

from collections.abc import Mapping, Sequence

from acronis_pipeline.figures import canvas, png

_NOT_VALIDATION = {"step", "epoch", "loss", "lr"}
_COLOURS = ("#1f5fa8", "#d9822b", "#3a8a5f", "#8a4fa3")


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
    left.plot(*_curve(history, "loss"), marker="o", markersize=3, color=_COLOURS[0])
    left.set_ylabel("training loss")
    for number, name in enumerate(names):
        colour = _COLOURS[number % len(_COLOURS)]
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
