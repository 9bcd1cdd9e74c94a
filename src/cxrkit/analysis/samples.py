"""Sample films as pictures: the regions' boxes, and what is asked and answered about them."""

import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from cxrkit.data.films.source import FilmSource
from cxrkit.data.index import Index
from cxrkit.data.index.schemas import MINIMUM_BOX_QUALITY
from cxrkit.reporting import figure_png, write_atomically
from cxrkit.vocabulary import REGIONS, SPLITS

FOLDER = "samples"
_MOST_BOXES, _MOST_QUESTIONS = 8, 6
_SEED = 0


def write_samples(index: Index, films: FilmSource, output_dir: Path, count: int) -> list[dict[str, Any]]:
    """Writes films, drawn by a fixed seed, each as one picture.

    The pictures show patients: they lie in a folder of their own and never inside the page.

    Args:
        index: the opened index.
        films: of the workspace.
        output_dir: of the analysis.
        count: of films; fewer where there are fewer.

    Returns:
        per film: `file` (below `output_dir`), `split`, `boxes`, `questions`.
    """
    folder = output_dir / FOLDER
    for older in sorted(folder.glob("sample_*.png")):
        older.unlink()
    rows = _chosen_films(index, count)
    return [_write(index, films, row, output_dir, place) for place, row in enumerate(rows, 1)]


def _chosen_films(index: Index, count: int) -> list[int]:
    """Draws among the frontal films of studies with questions where there are any."""
    study = index.column("images", "study_row")
    asked = np.asarray(index.column("studies", "has_questions")).astype(bool)[study]
    # The boxes of lateral films are poor.
    frontal = np.asarray(index.column("images", "view")) == 0
    fitting = (places for places in (asked & frontal, asked, frontal) if places.any())
    candidates = np.flatnonzero(next(fitting, np.ones(len(study), bool)))
    chosen = np.random.default_rng(_SEED).permutation(candidates)[:count]
    return [int(row) for row in np.sort(chosen)]


def _write(index: Index, films: FilmSource, row: int, output_dir: Path, place: int) -> dict[str, Any]:
    study = int(index.column("images", "study_row")[row])
    boxes = _boxes(index, films, study, row)
    questions = _questions(index, study)
    name = f"{FOLDER}/sample_{place:03d}.png"
    split = SPLITS[int(index.column("studies", "split")[study])]
    figure = _draw(np.asarray(films.read(row)), boxes, questions, f"sample {place}, split {split}")
    write_atomically(output_dir / name, figure_png(figure, 110))
    return {"file": name, "split": split, "boxes": len(boxes), "questions": len(questions)}


def _boxes(index: Index, films: FilmSource, study: int, row: int) -> list[tuple[str, Any]]:
    """Gives the trusted region boxes of a film in pixels of its square, the largest first."""
    first = int(index.column("studies", "first_region_box")[study])
    span = slice(first, first + int(index.column("studies", "num_region_boxes")[study]))
    of_film = np.asarray(index.column("region_boxes", "image_row")[span]) == row
    of_film &= ~np.asarray(index.column("region_boxes", "is_fallback")[span]).astype(bool)
    of_film &= np.asarray(index.column("region_boxes", "localization_quality")[span]) >= MINIMUM_BOX_QUALITY
    nodes = np.asarray(index.column("region_boxes", "node")[span])[of_film]
    corners = np.stack(
        [np.asarray(index.column("region_boxes", name)[span])[of_film] for name in ("x1", "y1", "x2", "y2")],
        -1,
    )
    shift = np.array([films.pad_x[row], films.pad_y[row]] * 2)
    placed = corners * float(films.scale[row]) + shift
    areas = (placed[:, 2] - placed[:, 0]) * (placed[:, 3] - placed[:, 1])
    order = np.argsort(-areas, kind="stable")
    # Several names of a graph may stand for one region: its largest box.
    largest: dict[int, Any] = {}
    for place in order[nodes[order] >= 0]:
        largest.setdefault(int(nodes[place]), placed[place])
    return [(REGIONS[node], box) for node, box in largest.items()][:_MOST_BOXES]


def _questions(index: Index, study: int) -> list[tuple[str, str]]:
    first = int(index.column("studies", "first_question")[study])
    count = int(index.column("studies", "num_questions")[study])
    chosen = np.random.default_rng([_SEED, study]).permutation(count)[:_MOST_QUESTIONS]
    texts = index.texts.column("text")
    rows = [first + int(place) for place in np.sort(chosen)]
    asked, answered = (index.column("questions", name) for name in ("question_text", "answer_text"))
    return [(texts[int(asked[row])].as_py(), texts[int(answered[row])].as_py()) for row in rows]


def _draw(
    film: np.ndarray, boxes: list[tuple[str, Any]], questions: list[tuple[str, str]], title: str
) -> Any:
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from cxrkit.reporting.palette import INK, SERIES

    figure = Figure(figsize=(11, 6.2))
    axes, words = figure.subplots(1, 2, width_ratios=[1.0, 0.8])
    axes.imshow(film, cmap="gray", vmin=0, vmax=255)
    spots = _label_spots([box for _, box in boxes], len(film))
    for place, (region, (x1, y1, x2, y2)) in enumerate(boxes):
        color = SERIES[place % len(SERIES)]
        axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=color, linewidth=1.4))
        axes.text(
            *spots[place], region, color="white", fontsize=7, va="center",
            bbox={"facecolor": color, "edgecolor": "none", "pad": 1.5, "alpha": 0.85},
        )  # fmt: skip
    for side in (axes, words):
        side.set_axis_off()
    lines = [
        "\n".join([*textwrap.wrap(f"Q: {question}", 58), *textwrap.wrap(f"A: {answer}", 58)])
        for question, answer in questions
    ]
    text = "\n\n".join(lines) or "No question about this study."
    words.text(0, 1, text, fontsize=8.5, va="top", ha="left", color=INK, parse_math=False)
    figure.suptitle(title, x=0.02, ha="left", fontsize=11, color=INK)
    figure.subplots_adjust(left=0.02, right=0.98, top=0.92, bottom=0.02, wspace=0.03)
    return figure


def _label_spots(boxes: list[Any], side: int) -> list[tuple[float, float]]:
    """Gives the left end of each box's label: the first line inside the box, from above, that is free."""
    line, length = side / 28, side / 4
    taken: list[tuple[float, float]] = []
    for x1, y1, _, y2 in boxes:
        lines = [y1 + line * (step + 0.7) for step in range(max(int((y2 - y1) / line), 1))]
        free = (
            y for y in lines if all(abs(y - other) >= line or abs(x1 - x) >= length for x, other in taken)
        )
        taken.append((x1 + side / 100, next(free, lines[0])))
    return taken
