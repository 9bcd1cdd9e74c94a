"""A comparison on disk: JSON, HTML, CSV and LaTeX."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cxrkit.evaluation.comparison.differences import Difference, compare_runs
from cxrkit.evaluation.comparison.runs import Run, read_runs
from cxrkit.evaluation.comparison.scored import ScoredRun, score_run
from cxrkit.evaluation.comparison.tables import COLUMNS, table_rows, to_csv, to_latex
from cxrkit.evaluation.content_hash import content_hash
from cxrkit.evaluation.definitions import DEFINITIONS, describe_definitions
from cxrkit.evaluation.measured import FEW_PATIENTS, N_RESAMPLES, SEED, interval_method
from cxrkit.metrics.statistics import PatientResamples
from cxrkit.reporting import Page, format_count, write_atomically
from cxrkit.reporting.tables import Alignment
from cxrkit.version import __version__

SCHEMA_VERSION = 1
_ALIGN: list[Alignment] = ["right" if place > 1 else "left" for place in range(len(COLUMNS))]
_NOTES = (
    "Differences and their intervals resample patients, the same ones for both runs (paired).",
    "p is that of the difference over its bootstrap standard error; Holm and Bonferroni adjust it over all "
    "differences here.",
    "McNemar's and DeLong's tests take rows as independent: with several rows per patient their p values are "
    "too small, and decide nothing here. Cohen's d and the paired t test compare the patients' means.",
    "One training is one draw: a difference of two trainings also holds the luck of their seeds, which no "
    "interval here contains.",
    "Two runs are called distinguishable when the interval leaves out 0 and Holm's p is below 0.05.",
)


@dataclass(frozen=True)
class ComparisonResult:
    """What a comparison found.

    Attributes:
        rows: of the table, with the columns `tables.COLUMNS`.
        words: one sentence per figure and run.
        notes: how to read it.
        paths: of the written files; none when nothing was to be written.
    """

    rows: list[tuple[str, ...]]
    words: list[str]
    notes: tuple[str, ...]
    paths: tuple[Path, ...]


def compare_predictions(
    paths: Sequence[Path],
    names: Sequence[str] | None = None,
    output_dir: Path | None = None,
    *,
    stem: str = "comparison",
    n_resamples: int = N_RESAMPLES,
) -> ComparisonResult:
    """Compares two or more prediction files on the same rows with the first of them.

    Args:
        paths: `predictions.parquet` files or their folders.
        names: of the runs; by default their folders' names.
        output_dir: where the files go; nothing is written when None.
        stem: of the files' names.
        n_resamples: resamples of patients.

    Raises:
        SettingsError: fewer than two files, or unfit names.
        ArtifactError: a file cannot be read, or they are not about the same rows.
    """
    runs = read_runs(paths, names)
    patients = runs[0].table.column("subject_id").to_numpy().astype(np.int64)
    resamples = PatientResamples.draw(patients, n_resamples, np.random.default_rng(SEED))
    scored = [score_run(run, resamples) for run in runs]
    differences = compare_runs(scored)
    rows = table_rows(scored, differences)
    words = [f"{entry.title}: {entry.in_words()}." for entry in differences]
    notes = (_extent(runs[0].table.num_rows, len(resamples.patients)), *_NOTES)
    written: tuple[Path, ...] = ()
    if output_dir is not None:
        report = _report(runs, scored, differences, n_resamples)
        written = _write(output_dir, stem, report, (runs, scored, differences, rows, words))
    return ComparisonResult(rows, words, notes, written)


def _extent(rows: int, patients: int) -> str:
    """Says on how much the comparison rests."""
    told = f"{format_count(rows)} rows of {format_count(patients)} patients."
    if patients < FEW_PATIENTS:
        told += f" Fewer than {FEW_PATIENTS} patients: intervals and p values say little."
    return told


def _report(
    runs: Sequence[Run], scored: Sequence[ScoredRun], differences: Sequence[Difference], n_resamples: int
) -> dict[str, Any]:
    first = runs[0].metadata
    return {
        "schema_version": SCHEMA_VERSION,
        "cxrkit_version": __version__,
        **{key: first.get(key) for key in ("task", "split", "index_fingerprint")},
        "runs": [
            {
                "name": run.name,
                "checkpoint": run.metadata.get("checkpoint"),
                "answers_sha256": content_hash(run.table),
                "manifest": run.metadata.get("manifest"),
            }
            for run in runs
        ],
        "interval_method": interval_method(n_resamples) + ", paired",
        "definitions": describe_definitions(entry.first.name for entry in differences),
        "figures": [
            {"run": run.name, **entry.to_entry()} for run in scored for entry in run.measured.values()
        ],
        "differences": [entry.to_entry() for entry in differences],
        "notes": list(_NOTES),
    }


def _write(
    output_dir: Path,
    stem: str,
    report: dict[str, Any],
    found: tuple[Sequence[Run], Sequence[ScoredRun], Sequence[Difference], list[tuple[str, ...]], list[str]],
) -> tuple[Path, ...]:
    runs, scored, differences, rows, words = found
    paths = tuple(output_dir / f"{stem}.{kind}" for kind in ("json", "html", "csv", "tex"))
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(paths[0], text.encode())
    _page(runs, scored, rows, words).write(paths[1])
    write_atomically(paths[2], to_csv(scored, differences).encode())
    caption = f"Split {runs[0].metadata.get('split')}; values with 95 % intervals over patients."
    write_atomically(paths[3], to_latex(rows, caption).encode())
    return paths


def _page(
    runs: Sequence[Run], scored: Sequence[ScoredRun], rows: list[tuple[str, ...]], words: list[str]
) -> Page:
    first = runs[0]
    page = Page("Comparison of runs", f"split {first.metadata.get('split')}, against {first.name}")
    page.facts(
        [
            ("runs", format_count(len(runs))),
            ("rows", format_count(first.table.num_rows)),
            ("patients", format_count(len(np.unique(first.table.column("subject_id").to_numpy())))),
        ]
    )
    page.section("In words")
    page.paragraph("\n\n".join(words) or "The runs have no figure in common.")
    page.section("Figures")
    page.table(COLUMNS, rows, align=_ALIGN)
    page.notice("\n\n".join(_NOTES))
    page.section("Runs and definitions")
    page.table(("run", "checkpoint"), [(run.name, str(run.metadata.get("checkpoint"))) for run in runs])
    used = dict.fromkeys(name for _, name, _ in scored[0].measured)
    page.table(("metric", "definition"), [(DEFINITIONS[name].title, DEFINITIONS[name].text) for name in used])
    return page
