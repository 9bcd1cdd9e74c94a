"""Scores of answers that must agree with each other, beside answers about films of different patients."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cxrkit.errors import ArtifactError
from cxrkit.evaluation import columns
from cxrkit.evaluation.definitions import CONSISTENCY
from cxrkit.evaluation.grounding_metrics import mean_of_defined_rows
from cxrkit.evaluation.measured import MODEL, SEED, Basis, Measured
from cxrkit.inference.exchanged_films import can_be_shuffled, films_of_other_patients
from cxrkit.metrics.counts import FloatArray
from cxrkit.metrics.statistics import PatientResamples
from cxrkit.vocabulary import REGION_INDEX, REGIONS
from cxrkit.vocabulary.regions import PARENT_OF_REGION, mirrored_region

YES = 0.5
_PLACES = 1 + len(REGIONS)
_CHILDREN = np.array([REGION_INDEX[child] for child in PARENT_OF_REGION])
_PARENTS = np.array([REGION_INDEX[parent] for parent in PARENT_OF_REGION.values()])
_SIDED = np.array([region for region in range(len(REGIONS)) if mirrored_region(region) != region])
_OTHER_SIDE = np.array([mirrored_region(region) for region in _SIDED])


@dataclass(frozen=True)
class ConsistencyAnswers:
    """Probabilities of yes; NaN where nothing was asked.

    Attributes:
        patients: `[F]` subject ids.
        abnormal: `[F, 27]` the film, then the regions.
        normal: likewise.
        mirrored: of `abnormal` on the mirrored films.
    """

    patients: npt.NDArray[np.int64]
    abnormal: FloatArray
    normal: FloatArray
    mirrored: FloatArray

    @classmethod
    def of_table(cls, table: pa.Table) -> "ConsistencyAnswers":
        """Reads a table of `CONSISTENCY_SCHEMA`, film by film in a fixed order."""
        table = table.sort_by([("study_id", "ascending"), ("dicom_id", "ascending")])
        names = ("is_abnormal", "is_normal", "is_abnormal_mirrored")
        values = (_probabilities(table, name) for name in names)
        return cls(columns.numbers(table, "subject_id").astype(np.int64), *values)

    def shuffled(self) -> "ConsistencyAnswers | None":
        """Gives the same with the second answer of each pair about another patient's film, if any."""
        if not can_be_shuffled(self.patients):
            return None
        other = films_of_other_patients(self.patients, SEED)
        return ConsistencyAnswers(self.patients, self.abnormal, self.normal[other], self.mirrored[other])


def _probabilities(table: pa.Table, name: str) -> FloatArray:
    """Gives probabilities `[F, 27]`, NaN where nothing was asked.

    Raises:
        ArtifactError: one is not in 0..1.
    """
    values = columns.matrix(table, name, _PLACES)
    wrong = int(((values < 0) | (values > 1 + 1e-6)).sum())
    if wrong:
        raise ArtifactError(
            f"the column {name} of the consistency answers is damaged",
            expected="probabilities in 0..1, or NaN",
            found=f"{wrong} values that are not",
            next_step="make it again with `cxrkit evaluate`",
        )
    return values


def measure_consistency(table: pa.Table | None, resamples: PatientResamples) -> list[Measured]:
    """Computes the agreement of answers under the model, and with films exchanged among patients.

    Args:
        table: of `CONSISTENCY_SCHEMA`; None gives no metric.
        resamples: of the patients of the whole report.
    """
    if table is None:
        return []
    answers = ConsistencyAnswers.of_table(table)
    measured = _measure(answers, answers.abnormal, MODEL, resamples)
    exchanged = answers.shuffled()
    if exchanged is not None:
        parents = answers.abnormal[films_of_other_patients(answers.patients, SEED)]
        control = _measure(exchanged, parents, "shuffled_image", resamples)
        measured += [entry for entry in control if entry.name != "unmirrored_agreement"]
    return measured


def _measure(
    answers: ConsistencyAnswers, parents: FloatArray, condition: str, resamples: PatientResamples
) -> list[Measured]:
    abnormal, normal = answers.abnormal, answers.normal
    regions, mirrored = abnormal[:, 1:], answers.mirrored[:, 1:]
    opposite = _same(abnormal, 1 - normal, (abnormal >= YES) != (normal >= YES))
    children = _same(regions[:, _CHILDREN], parents[:, 1 + _PARENTS], parents[:, 1 + _PARENTS] >= YES)
    children[regions[:, _CHILDREN] < YES] = np.nan
    values = {
        "normal_abnormal_agreement": opposite[:, :1],
        "normal_abnormal_gap": np.abs(abnormal + normal - 1)[:, :1],
        "region_normal_abnormal_agreement": opposite[:, 1:],
        "parent_child_agreement": children,
        "mirror_agreement": _same_decision(regions[:, _SIDED], mirrored[:, _OTHER_SIDE]),
        "mirror_gap": np.abs(regions[:, _SIDED] - mirrored[:, _OTHER_SIDE]),
        "unmirrored_agreement": _same_decision(regions[:, _SIDED], regions[:, _OTHER_SIDE]),
    }
    basis = Basis.of_rows(CONSISTENCY, condition, answers.patients)
    return [
        mean_of_defined_rows(
            name, basis, of_films.ravel(), np.repeat(answers.patients, of_films.shape[1]), resamples
        )
        for name, of_films in values.items()
    ]


def _same_decision(first: FloatArray, second: FloatArray) -> FloatArray:
    return _same(first, second, (first >= YES) == (second >= YES))


def _same(first: FloatArray, second: FloatArray, agrees: npt.NDArray[np.bool_]) -> FloatArray:
    """Gives 1 where answers agree, 0 where not, NaN where one of them was not asked."""
    asked = ~np.isnan(first) & ~np.isnan(second)
    return np.where(asked, agrees.astype(float), np.nan)
