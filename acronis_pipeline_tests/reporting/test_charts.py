from hypothesis import given
from hypothesis import strategies as st

from acronis_pipeline.evaluate.significance import Difference, Interval
from acronis_pipeline.reporting.charts import Estimate, Line, axis, curves, round_steps, whiskers, win_loss
from acronis_pipeline.reporting.rendering import N_OTHER_STYLES, difference, p_value, percent, size, styles, web_address

values = st.floats(-1, 1, allow_nan=False)


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    low, mean, high = sorted(draw(st.tuples(values, values, values)))
    return Interval(mean, low, high)


@given(values, values)
def test_axis_ends_on_round_numbers_around_all_values(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    steps = round_steps(low, high)
    assert steps[0] <= low + 1e-9
    assert steps[-1] >= high - 1e-9
    assert 2 <= len(steps) <= 12
    scale, ticks = axis(low, high, 100, 500)
    assert [tick.at for tick in ticks] == sorted(tick.at for tick in ticks)
    assert len({tick.label for tick in ticks}) == len(ticks)
    assert 100 <= scale(low) <= scale(high) <= 500


def test_ticks_of_differences_carry_their_sign() -> None:
    _, ticks = axis(-0.1, 0.2, 0, 100)
    assert [tick.label for tick in ticks] == ["−0.1", "0.0", "+0.1", "+0.2"]


@given(st.lists(intervals(), min_size=1, max_size=8))
def test_whiskers_lie_within_the_drawing_in_their_order(drawn: list[Interval]) -> None:
    chart = whiskers([Line(str(n), "", (Estimate("base", value, ""),)) for n, value in enumerate(drawn)], "", zero=True)
    marks = [mark for row in chart.rows for mark in row.marks]
    assert all(chart.left <= mark.low <= mark.x <= mark.high <= chart.right for mark in marks)
    assert [row.y for row in chart.rows] == sorted(row.y for row in chart.rows)
    assert all(0 < mark.y < chart.bottom < chart.height for mark in marks)
    assert chart.zero is not None
    assert chart.left <= chart.zero <= chart.right


@given(st.lists(intervals(), min_size=2, max_size=6))
def test_points_of_a_curve_stand_from_left_to_right_on_their_intervals(drawn: list[Interval]) -> None:
    line = [Estimate("base", value, "") for value in drawn]
    chart = curves({"base": line, "bm25": line}, [str(n) for n in range(len(drawn))], "")
    for curve in chart.curves:
        assert [point.x for point in curve.points] == sorted(point.x for point in curve.points)
        assert all(point.high <= point.y <= point.low for point in curve.points)  # pixels grow downwards


@given(st.lists(st.floats(-1, 1, allow_nan=False), min_size=1, max_size=2_000))
def test_every_question_is_won_lost_or_equal(differences: list[float]) -> None:
    chart = win_loss(differences, "")
    assert chart.n_won + chart.n_lost + chart.n_same == len(differences)
    assert len(chart.wins) + len(chart.losses) < 8_000
    assert bool(chart.losses) <= (chart.n_lost > 0)


def test_systems_that_nobody_foresaw_share_the_spare_marks() -> None:
    names = [f"external:{n}" for n in range(N_OTHER_STYLES + 1)]
    found = styles(["base", "fine_tuned", *names])
    assert found["base"] == "base"
    assert found["fine_tuned"] == "fine-tuned"
    assert len({found[name] for name in names}) == N_OTHER_STYLES


def test_figures_are_written_as_people_read_them() -> None:
    assert percent(0.876) == "88\u00a0%"
    assert difference(Difference(-0.0621, -0.1, 0.01, 0.2, 1, 1)) == "−0.062 [−0.100, +0.010]"
    assert (p_value(0.0004), p_value(0.034)) == ("p < 0.001", "p = 0.034")
    assert (size(950), size(1_536), size(12_345_678)) == ("950\u00a0B", "1.5\u00a0kB", "12.3\u00a0MB")


def test_only_web_addresses_become_links() -> None:
    assert web_address("https://docs.test/a#b") == "https://docs.test/a#b"
    assert [
        web_address(url) for url in ("javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "", None)
    ] == [None] * 5
