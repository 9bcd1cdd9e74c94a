"""The rows of one head under one condition, as arrays in the order of the questions."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cxrkit.errors import ArtifactError
from cxrkit.evaluation import columns
from cxrkit.evaluation.columns import BoxLists
from cxrkit.evaluation.definitions import CONDITIONS
from cxrkit.evaluation.measured import MODEL
from cxrkit.evaluation.text_pairs import BERTSCORE, TextPairs
from cxrkit.metrics.counts import FloatArray
from cxrkit.vocabulary import ANSWER_HEADS, CLASSES_OF_HEAD, MULTI_LABEL_HEADS, Head

_COLUMNS = (
    "subject_id", "classes_reference", "classes_predicted", "probabilities", "answer_reference",
    "answer_predicted",
)  # fmt: skip


@dataclass(frozen=True)
class HeadRows:
    """Questions of one head, answered under one condition.

    Attributes:
        head: whose answers.
        condition: the model or a control.
        rows: `[N]` places in the condition's table.
        patients: `[N]` subject ids.
        reference: `[N, C]` sets of classes; one class each for binary and severity.
        predicted: `[N, C]` likewise.
        probabilities: `[N, C]`.
        texts: the answer sentences of reference and prediction.
    """

    head: Head
    condition: str
    rows: npt.NDArray[np.int64]
    patients: npt.NDArray[np.int64]
    reference: npt.NDArray[np.bool_]
    predicted: npt.NDArray[np.bool_]
    probabilities: FloatArray
    texts: TextPairs

    @classmethod
    def of_table(cls, table: pa.Table, head: Head, condition: str) -> "HeadRows":
        """Reads the rows of one head from a condition's table.

        Raises:
            ArtifactError: classes or probabilities do not fit the head.
        """
        places = np.flatnonzero(np.array(columns.texts(table, "head"), dtype=np.str_) == head.value)
        optional = [name for name in (BERTSCORE,) if name in table.column_names]
        rows = table.select([*_COLUMNS, *optional]).take(places)
        num_classes = len(CLASSES_OF_HEAD[head])
        reference = columns.membership(rows, "classes_reference", num_classes)
        predicted = columns.membership(rows, "classes_predicted", num_classes)
        if head not in MULTI_LABEL_HEADS:
            _require_one_class(reference, head, "classes_reference")
            _require_one_class(predicted, head, "classes_predicted")
        return cls(
            head=head,
            condition=condition,
            rows=places,
            patients=columns.numbers(rows, "subject_id").astype(np.int64),
            reference=reference,
            predicted=predicted,
            probabilities=columns.probability_matrix(rows, "probabilities", num_classes),
            texts=TextPairs.of_table(rows),
        )

    def chosen(self, chosen: npt.NDArray[np.bool_]) -> "HeadRows":
        """Gives some of the rows, `[N]` True for those."""
        return replace(
            self,
            rows=self.rows[chosen],
            patients=self.patients[chosen],
            reference=self.reference[chosen],
            predicted=self.predicted[chosen],
            probabilities=self.probabilities[chosen],
            texts=self.texts.chosen(chosen),
        )


@dataclass(frozen=True)
class BoxRows:
    """Boxes of all questions under one condition, whatever their head.

    Attributes:
        condition: the model or a control.
        patients: `[N]` subject ids.
        has_reference: `[N]` whether the data set gives boxes for the answer.
        reference: the data set's boxes.
        predicted: the predicted boxes.
        scores: `[M]` one per predicted box.
    """

    condition: str
    patients: npt.NDArray[np.int64]
    has_reference: npt.NDArray[np.bool_]
    reference: BoxLists
    predicted: BoxLists
    scores: FloatArray

    @classmethod
    def of_table(cls, table: pa.Table, condition: str) -> "BoxRows":
        """Reads the boxes of a condition's table.

        Raises:
            ArtifactError: a box has not four numbers, or boxes and scores differ in number.
        """
        predicted = columns.box_lists(table, "boxes_predicted")
        scores, starts = columns.number_lists(table, "box_scores")
        if not np.array_equal(starts, predicted.starts):
            raise ArtifactError(
                "predicted boxes and their scores differ in number",
                expected="one value of box_scores per box of boxes_predicted",
                next_step="make the predictions again with `cxrkit evaluate`",
            )
        known = columns.numbers(table, "has_boxes_reference").astype(np.bool_)
        reference = columns.box_lists(table, "boxes_reference")
        _require_sound_boxes(scores, known, reference)
        return cls(
            condition=condition,
            patients=columns.numbers(table, "subject_id").astype(np.int64),
            has_reference=known,
            reference=reference,
            predicted=predicted,
            scores=scores,
        )


def tables_of_conditions(table: pa.Table, key: str) -> dict[str, pa.Table]:
    """Splits a prediction table by condition, each part in the order of `key`, the model first.

    Raises:
        ArtifactError: there is no model, a condition is unknown, a key occurs twice, or conditions
            cover different keys.
    """
    names = sorted(set(columns.texts(table, "condition")), key=lambda name: (name != MODEL, name))
    if MODEL not in names:
        raise ArtifactError(
            "the prediction table has no rows of the model", expected=f"condition {MODEL}", found=str(names)
        )
    parts = {name: _part(table, name, key) for name in names}
    keys = {name: columns.numbers(part, key) for name, part in parts.items()}
    if len(np.unique(keys[MODEL])) != len(keys[MODEL]):
        raise ArtifactError(f"the prediction table holds a {key} twice for one condition")
    _require_known_conditions(names)
    different = [name for name in names if not np.array_equal(keys[name], keys[MODEL])]
    if different:
        raise ArtifactError(
            "the conditions of the prediction table cover different rows",
            expected=f"the same {key} values for each condition, so that differences are paired",
            found=", ".join(f"{name}: {len(keys[name])} rows" for name in (MODEL, *different)),
            next_step="make the predictions of all conditions in one run of `cxrkit evaluate`",
        )
    return parts


def _part(table: pa.Table, condition: str, key: str) -> pa.Table:
    """Gives the rows of a condition in order, without a copy where they lie so already."""
    places = np.flatnonzero(pc.equal(table.column("condition"), pa.scalar(condition)).to_numpy())
    part = table.slice(places[0], len(places))
    if places[-1] - places[0] >= len(places):
        part = table.take(places)
    ordered = (np.diff(columns.numbers(part, key).astype(np.int64)) > 0).all()
    return part if ordered else part.sort_by(key).combine_chunks()


def _require_known_conditions(names: list[str]) -> None:
    unknown = sorted(set(names) - set(CONDITIONS))
    if unknown:
        raise ArtifactError(
            "the prediction table has conditions that this version does not know",
            expected=", ".join(CONDITIONS),
            found=", ".join(unknown),
        )


def require_known_heads(table: pa.Table) -> None:
    """Checks that every row belongs to a head.

    Raises:
        ArtifactError: a row names something else, such as free text.
    """
    unknown = sorted(set(columns.texts(table, "head")) - {head.value for head in ANSWER_HEADS})
    if unknown:
        raise ArtifactError(
            "the prediction table has rows that no head answers",
            expected=", ".join(head.value for head in ANSWER_HEADS),
            found=", ".join(unknown),
        )


def _require_sound_boxes(scores: FloatArray, known: npt.NDArray[np.bool_], reference: BoxLists) -> None:
    wrong = int((~((scores >= 0) & (scores <= 1))).sum())
    if wrong:
        raise ArtifactError(
            f"{wrong} values of box_scores are no probabilities",
            expected="a number from 0 to 1 for each box of boxes_predicted",
            next_step="make the predictions again with `cxrkit evaluate`",
        )
    different = int((known != (np.diff(reference.starts) > 0)).sum())
    if different:
        raise ArtifactError(
            f"has_boxes_reference and boxes_reference contradict each other in {different} rows",
            expected="true exactly where boxes_reference holds a box",
            next_step="make the predictions again with `cxrkit evaluate`",
        )


def _require_one_class(sets: npt.NDArray[np.bool_], head: Head, column: str) -> None:
    wrong = int((sets.sum(1) != 1).sum())
    if wrong:
        raise ArtifactError(
            f"{wrong} rows of head {head} have not exactly one class",
            expected=f"one index in {column}",
            next_step="make the predictions again with `cxrkit evaluate`",
        )
