"""Classifiers trained under several label policies, side by side on the validation split."""

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cxrkit.config import ClassifySettings
from cxrkit.evaluation.classification_scores import study_rows
from cxrkit.evaluation.definitions import CLASSIFIER
from cxrkit.evaluation.finding_metrics import StudyRows
from cxrkit.evaluation.head_metrics import mean_over_classes
from cxrkit.evaluation.measured import MODEL, N_RESAMPLES, SEED, json_number
from cxrkit.evaluation.predictions import read_metadata
from cxrkit.inference.classification import predict_classifier
from cxrkit.metrics.ranking import auroc, weighted_auroc
from cxrkit.metrics.statistics import Bootstrap, PatientResamples, patient_bootstrap
from cxrkit.reporting import format_interval, format_number, format_signed, write_atomically
from cxrkit.vocabulary import FINDINGS

SPLIT = "validate"
TABLE_FILE = "label_policies.csv"
UNDEFINED = "not defined"


@dataclass(frozen=True)
class PolicyTable:
    """Figures of each policy, in words and as numbers.

    Attributes:
        columns: "figure", then the policies.
        rows: of means, differences and findings, as texts.
        numbers: (figure, policy, value, lower end, upper end of the interval), None where there is none.
        n_studies: of the split.
        n_patients: among them.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[tuple[str, str, float | None, float | None, float | None], ...]
    n_studies: int
    n_patients: int

    def write(self, path: Path) -> None:
        """Writes the numbers as CSV, one per line."""
        text = io.StringIO()
        columns = ("figure", "label_policy", "value", "interval_low", "interval_high")
        csv.writer(text, lineterminator="\n").writerows([columns, *self.numbers])
        write_atomically(path, text.getvalue().encode())


def compare_policies(
    models: Mapping[str, Path],
    settings: ClassifySettings,
    *,
    progress: Callable[[str, int, int], None] | None = None,
) -> PolicyTable:
    """Scores models on the validation split against the same labels: blank and -1 count as 0 for all.

    Args:
        models: folder of the model by label policy; the first is what the others are compared with.
        settings: which data, and how it is read.
        progress: called with (stage, films done, films).

    Raises:
        CxrkitError: a model or the workspace cannot be used.
    """
    scored: dict[str, StudyRows] = {}
    for policy, path in models.items():
        table = predict_classifier(path, settings, split=SPLIT, conditions=(MODEL,), progress=progress)
        scored[policy] = study_rows(table, MODEL, read_metadata(table), CLASSIFIER)
    patients = next(iter(scored.values())).patients
    resamples = PatientResamples.draw(patients, N_RESAMPLES, np.random.default_rng(SEED))
    means = {
        policy: mean_over_classes(rows.labels, rows.probabilities, rows.patients, resamples, weighted_auroc)
        for policy, rows in scored.items()
    }
    values = {policy: patient_bootstrap(mean, resamples) for policy, mean in means.items()}
    count = len(next(iter(means.values())).parts)
    first = values[next(iter(scored))]
    return PolicyTable(
        columns=("figure", *scored),
        rows=(
            (f"mean AUROC ({count} findings) [95 %]", *(_cell(value) for value in values.values())),
            (f"minus {next(iter(scored))}, paired [95 %]", *_differences(list(values.values()))),
            *(_finding_row(place, scored) for place in range(len(FINDINGS))),
        ),
        numbers=(
            *(_numbers("mean_auroc", policy, value) for policy, value in values.items()),
            *(
                _numbers(f"mean_auroc minus {next(iter(scored))}", policy, value.minus(first))
                for policy, value in values.items()
                if value is not first
            ),
            *_finding_numbers(scored),
        ),
        n_studies=len(patients),
        n_patients=len(resamples.patients),
    )


def _numbers(
    figure: str, policy: str, value: Bootstrap
) -> tuple[str, str, float | None, float | None, float | None]:
    low, high = value.interval() or (None, None)
    return figure, policy, json_number(value.value), _rounded(low), _rounded(high)


def _rounded(value: float | None) -> float | None:
    return None if value is None else json_number(value)


def _finding_numbers(
    scored: Mapping[str, StudyRows],
) -> list[tuple[str, str, float | None, float | None, float | None]]:
    return [
        (f"auroc of {finding}", policy, json_number(float(area)), None, None)
        for place, finding in enumerate(FINDINGS)
        for policy, rows in scored.items()
        for area in (auroc(rows.labels[:, place], rows.probabilities[:, place]),)
    ]


def _cell(value: Bootstrap) -> str:
    if np.isnan(value.value):
        return UNDEFINED
    return format_interval(value.value, *(value.interval() or (None, None)))


def _differences(values: list[Bootstrap]) -> list[str]:
    cells = ["-"]
    for value in values[1:]:
        difference = value.minus(values[0])
        interval = difference.interval()
        ends = "" if interval is None else f" [{format_signed(interval[0])}, {format_signed(interval[1])}]"
        cells.append(UNDEFINED if np.isnan(difference.value) else format_signed(difference.value) + ends)
    return cells


def _finding_row(place: int, scored: Mapping[str, StudyRows]) -> tuple[str, ...]:
    areas = [auroc(rows.labels[:, place], rows.probabilities[:, place]) for rows in scored.values()]
    positives = int(next(iter(scored.values())).labels[:, place].sum())
    cells = [format_number(area.value) if area.defined else UNDEFINED for area in areas]
    return (f"{FINDINGS[place]} ({positives} positive)", *cells)
