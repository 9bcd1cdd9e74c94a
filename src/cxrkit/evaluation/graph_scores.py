"""Scores of the predicted scene graph itself: boxes, presence and findings of the 26 regions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cxrkit.boxes import intersection_over_union
from cxrkit.evaluation import columns
from cxrkit.evaluation.definitions import DEFINITIONS, SCENE_GRAPH
from cxrkit.evaluation.head_metrics import mean_over_classes
from cxrkit.evaluation.measured import MODEL, Basis, Measured, measure
from cxrkit.evaluation.row_means import mean_of_rows
from cxrkit.metrics.counts import FloatArray, mean_of_defined
from cxrkit.metrics.ranking import weighted_auroc
from cxrkit.metrics.statistics import Bootstrap, PatientResamples
from cxrkit.vocabulary import REGIONS

BoolArray = npt.NDArray[np.bool_]
PRESENT = 0.5


@dataclass(frozen=True)
class GraphRows:
    """Films whose study has a scene graph, under one condition.

    Attributes:
        condition: the model, or the model with an empty film.
        patients: `[F]` subject ids.
        overlap: `[F, 26]` IoU of predicted and reference box.
        has_box: `[F, 26]` where a reference box exists.
        presence: `[F, 26]` probability.
        findings: `[F, 26, E]` in the reference graph.
        probabilities: `[F, 26, E]`.
    """

    condition: str
    patients: npt.NDArray[np.int64]
    overlap: FloatArray
    has_box: BoolArray
    presence: FloatArray
    findings: BoolArray
    probabilities: FloatArray

    @classmethod
    def of_table(cls, table: pa.Table, condition: str, entities: int) -> "GraphRows":
        """Reads the rows of one condition.

        Raises:
            ArtifactError: a column is damaged.
        """
        rows = table.filter((pc.field("condition") == condition) & pc.field("has_graph_reference"))
        films, regions = rows.num_rows, len(REGIONS)
        boxes = {
            name: columns.matrix(rows, f"boxes_{name}", 4 * regions).reshape(films, regions, 4)
            for name in ("reference", "predicted")
        }
        places = columns.membership(rows, "findings_reference", regions * entities)
        stated = columns.probability_matrix(rows, "finding_probabilities", regions * entities)
        return cls(
            condition=condition,
            patients=columns.numbers(rows, "subject_id").astype(np.int64),
            overlap=np.asarray(intersection_over_union(boxes["reference"], boxes["predicted"]), float),
            has_box=columns.matrix(rows, "has_box_reference", regions) > 0,
            presence=columns.probability_matrix(rows, "presence_probabilities", regions),
            findings=places.reshape(films, regions, entities),
            probabilities=stated.reshape(films, regions, entities),
        )


def measure_graphs(table: pa.Table | None, entities: int, resamples: PatientResamples) -> list[Measured]:
    """Computes the scene-graph metrics for each condition, over all regions and for each.

    Args:
        table: of predicted graphs; None gives no metric.
        entities: number of finding entities.
        resamples: of the patients of the whole report.
    """
    if table is None:
        return []
    names = sorted(set(columns.texts(table, "condition")), key=lambda name: (name != MODEL, name))
    measured: list[Measured] = []
    for name in names:
        rows = GraphRows.of_table(table, name, entities)
        basis = Basis.of_rows(SCENE_GRAPH, name, rows.patients)
        of_regions = [_of_region(rows, region, basis, resamples) for region in range(len(REGIONS))]
        measured += _over_all(rows, basis, [entries[-1] for entries in of_regions], resamples)
        measured += [entry for entries in of_regions for entry in entries]
    return measured


def _over_all(
    rows: GraphRows, basis: Basis, of_regions: Sequence[Measured], resamples: PatientResamples
) -> list[Measured]:
    film, region = np.nonzero(rows.has_box)
    overlap = mean_of_rows(rows.overlap[film, region], rows.patients[film], resamples)
    right = ((rows.presence >= PRESENT) == rows.has_box).mean(1)
    return [
        measure("region_box_iou", basis, overlap, resamples, n_positive=len(film)),
        measure("presence_accuracy", basis, mean_of_rows(right, rows.patients, resamples), resamples),
        _mean_of_regions(basis, [entry for entry in of_regions if entry.undefined_reason is None]),
    ]


def _mean_of_regions(basis: Basis, scored: Sequence[Measured]) -> Measured:
    """Gives the mean over regions of what was computed for each, resample by resample."""
    name = "finding_auroc"
    if not scored:
        nothing = Bootstrap(float("nan"), np.zeros(0))
        return Measured(name, basis, nothing, n_classes=0, undefined_reason=DEFINITIONS[name].undefined_when)
    values = np.array([entry.bootstrap.value for entry in scored])
    replicates = np.stack([entry.bootstrap.replicates for entry in scored], axis=-1)
    mean = Bootstrap(float(values.mean()), mean_of_defined(replicates))
    return Measured(name, basis, mean, n_classes=len(scored))


def _of_region(rows: GraphRows, region: int, basis: Basis, resamples: PatientResamples) -> list[Measured]:
    about = replace(basis, region=REGIONS[region])
    boxed = rows.has_box[:, region]
    overlap = mean_of_rows(rows.overlap[boxed, region], rows.patients[boxed], resamples)
    right = ((rows.presence[:, region] >= PRESENT) == boxed).astype(float)
    # The mean AUROC over the entities that this region has on some films and lacks on others.
    findings = mean_over_classes(
        rows.findings[:, region], rows.probabilities[:, region], rows.patients, resamples, weighted_auroc
    )
    return [
        measure("region_box_iou", about, overlap, resamples, n_positive=int(boxed.sum())),
        measure("presence_accuracy", about, mean_of_rows(right, rows.patients, resamples), resamples),
        measure("finding_auroc", about, findings, resamples, n_classes=len(findings.parts)),
    ]
