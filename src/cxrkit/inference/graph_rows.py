"""Collects predicted scene graphs into the columns of `graph_predictions.parquet`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from torch import Tensor

from cxrkit.data.batches.targets import to_pixels
from cxrkit.data.films.source import FilmSource
from cxrkit.data.index import Index
from cxrkit.inference.collecting import CollectedRows
from cxrkit.inference.schema import graph_schema, with_metadata
from cxrkit.models.outputs import PredictedGraph
from cxrkit.models.scene_graph import cxcywh_to_xyxy


class GraphRows:
    """Rows of the table of predicted scene graphs, one per condition and film.

    Args:
        index: the opened index.
        store: the films, for the way back to original pixels.
        entities: number of finding entities.
    """

    def __init__(self, index: Index, store: FilmSource, entities: int) -> None:
        self.index = index
        self.store = store
        self.schema = graph_schema(entities)
        self.rows = CollectedRows()

    def add(self, condition: str, batch: Mapping[str, Tensor], graph: PredictedGraph) -> None:
        """Adds the graphs of one batch.

        Args:
            condition: name of the condition.
            batch: from `Collate`.
            graph: of its B films.
        """
        boxes = cxcywh_to_xyxy(graph.boxes_cxcywh_rel).float().cpu().numpy()
        presence = graph.presence_logits.float().sigmoid().cpu().numpy()
        findings = graph.finding_logits.float().sigmoid().cpu().numpy()
        reference = {name: batch[f"node_{name}"].numpy() for name in ("boxes", "has_box", "findings")}
        for place, image_row in enumerate(batch["image_row"].tolist()):
            values = {
                "condition": condition,
                "subject_id": int(self.index.column("images", "subject_id")[image_row]),
                "study_id": int(self.index.column("images", "study_id")[image_row]),
                "dicom_id": self.index.images.column("dicom_id")[image_row].as_py(),
                "has_graph_reference": bool(batch["graph_valid"][place]),
                "boxes_reference": self._pixels(reference["boxes"][place], image_row),
                "has_box_reference": reference["has_box"][place].tolist(),
                "findings_reference": np.flatnonzero(reference["findings"][place]).tolist(),
                "boxes_predicted": self._pixels(boxes[place], image_row),
                "presence_probabilities": presence[place].tolist(),
                "finding_probabilities": findings[place].ravel(),
            }
            self.rows.add(values, self.schema)

    def _pixels(self, boxes: npt.NDArray[np.floating], image_row: int) -> list[float]:
        pixels: list[float] = to_pixels(boxes, self.store, image_row).ravel().tolist()
        return pixels

    def table(self, metadata: Mapping[str, Any]) -> pa.Table | None:
        """Gives all rows as a table with metadata; None when there are none."""
        table = self.rows.table(self.schema)
        return with_metadata(table, {**metadata, "task": "vqa_graph"}) if table.num_rows else None
