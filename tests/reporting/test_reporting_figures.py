import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from cxrkit.reporting import GalleryItem, LabelledBox, curves, figure_png, figures
from cxrkit.reporting.axes import draw_histogram

LINE = np.linspace(0, 1, 11)


def texts(figure: Figure) -> list[str]:
    figure.draw_without_rendering()
    found = [text.get_text() for axes in figure.axes for text in axes.texts]
    found += [label.get_text() for axes in figure.axes for label in axes.get_yticklabels()]
    for holder in (*figure.axes, figure):
        legends = [holder.get_legend()] if hasattr(holder, "get_legend") else holder.legends
        found += [text.get_text() for legend in legends if legend for text in legend.get_texts()]
    return found


def test_bars_write_their_counts():
    assert {"1,234,567", "89"} <= set(texts(figures.bar_counts({"train": 1234567, "test": 89})))
    lying = texts(figures.horizontal_bars({"yes": 30, "no": 90}, total=120))
    assert {"30 (25.0 %)", "90 (75.0 %)"} <= set(lying)


def test_stacked_shares_add_up_to_one():
    figure = figures.stacked_shares({"a": {"x": 1, "y": 3}, "b": {"x": 5, "y": 5}})
    widths = np.array([bar.get_width() for bar in figure.axes[0].patches]).reshape(2, 2)
    assert widths.sum(axis=0).tolist() == [1, 1]
    assert widths[0].tolist() == [0.25, 0.5]


def test_histogram_counts_finite_values():
    figure = figures.histogram([0, 0, 1, 4, np.nan, np.inf], bins=4)
    assert figure.axes[0].patches[0].get_data().values.tolist() == [2, 1, 0, 1]


def test_interval_plot_shows_estimates_beside_their_controls():
    row = figures.IntervalRow("binary", 0.81, 0.78, 0.84, {"majority": 0.5, "blank image": 0.55}, 1234)
    bare = figures.IntervalRow("region", 0.6)
    found = texts(figures.interval_plot([row, bare]))
    expected = {"0.810 [0.780, 0.840]", "0.600", "binary  (n = 1,234)", "region", "majority", "blank image"}
    assert expected <= set(found)


def test_confusion_matrix_writes_counts_and_row_shares():
    found = texts(figures.confusion_matrix([[3, 1], [0, 0]], ["no", "yes"]))
    assert {"3\n75 %", "1\n25 %", "0\n0 %"} <= set(found)


def test_curves_list_their_scores():
    many = [curves.Curve(f"finding {number}", LINE, LINE**0.5, 0.8) for number in range(14)]
    figure = curves.roc_curves(many)
    assert "0.80  finding 13" in texts(figure)
    looks = {(line.get_color(), line.get_linestyle()) for line in figure.axes[0].lines[1:]}
    assert len(looks) == 14
    figure = curves.precision_recall_curves([curves.Curve("a", LINE, 1 - LINE)], prevalence=0.2)
    assert "prevalence" in texts(figure)


def test_reliability_curve_leaves_out_empty_bins():
    figure = curves.reliability_curve([0.1, np.nan, 0.9], [0.2, np.nan, 0.8], [10, 0, 30], error=0.1)
    assert figure.axes[0].lines[1].get_xdata().tolist() == [0.1, 0.9]
    assert "calibration error 0.100" in texts(figure)


def test_film_grid_draws_every_film_with_its_boxes():
    item = GalleryItem(np.zeros((8, 8), np.uint8), [LabelledBox((1, 2, 5, 7), "heart", "reference")], "film")
    figure = figures.film_grid([item] * 4, columns=3)
    assert [len(axes.images) for axes in figure.axes] == [1, 1, 1, 1, 0, 0]
    assert figure.axes[0].patches[0].get_bbox().extents.tolist() == [1, 2, 5, 7]


@pytest.mark.parametrize(
    "make",
    [
        lambda: figures.bar_counts({}),
        lambda: figures.horizontal_bars({}),
        lambda: figures.stacked_shares({}),
        lambda: figures.histogram([]),
        lambda: figures.interval_plot([]),
        lambda: curves.roc_curves([]),
        lambda: curves.precision_recall_curves([]),
        lambda: curves.reliability_curve([np.nan], [np.nan], [0]),
    ],
)
def test_nothing_to_draw_is_said_in_words(make):
    assert "no data" in texts(make())


def test_no_films():
    assert "no films" in texts(figures.film_grid([]))


def test_zero_bars_can_be_drawn():
    figure_png(figures.horizontal_bars({"a": 0, "b": 0}, total=0), dpi=40)
    figure_png(figures.bar_counts({"a": 0}), dpi=40)


def test_png_is_the_same_every_time_and_carries_no_metadata(tmp_path):
    first, second = (figure_png(figures.bar_counts({"a": 1}), dpi=50) for _ in range(2))
    assert first == second
    (tmp_path / "figure.png").write_bytes(first)
    with Image.open(tmp_path / "figure.png") as image:
        assert set(image.info) <= {"dpi"}


def test_a_ready_histogram_keeps_its_counts():
    figure = Figure()
    axes = figure.subplots()
    draw_histogram(axes, [5, 0, 2], [0, 1, 2, 3])
    assert axes.patches[0].get_data().values.tolist() == [5, 0, 2]


def test_drawing_needs_no_pyplot_and_a_page_no_matplotlib():
    code = (
        "import sys, cxrkit.reporting as r; assert 'matplotlib' not in sys.modules;"
        "from cxrkit.reporting import figures, curves; figures.bar_counts({'a': 1});"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
