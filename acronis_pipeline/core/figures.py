"""Pictures as PNG bytes, drawn without a display."""

import io
from collections.abc import Mapping, Sequence
from typing import Any


def canvas(width_in: float, height_in: float, columns: int = 1) -> tuple[Any, Any]:
    """A matplotlib figure, and its axes (several side by side as an array)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, columns)


def png(figure: Any) -> bytes:
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=120)
    return image.getvalue()


def histograms(panels: Mapping[str, Sequence[float]], *, bins: int = 30) -> bytes:
    """Histograms side by side, a panel per label; the label names the axis and its unit."""
    figure, axes = canvas(4.2 * len(panels), 2.8, columns=len(panels))
    for axis, (label, values) in zip([axes] if len(panels) == 1 else axes, panels.items(), strict=True):
        axis.hist(values, bins=bins, color="#1f5fa8")
        axis.set_xlabel(label)
        axis.set_ylabel("count")
        axis.grid(axis="y", alpha=0.3)
    return png(figure)
