"""The optional columns of `predictions.parquet` that explain answers; see `inference.perturbation`."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

_NUMBERS = pa.list_(pa.float32())
_NODES = pa.list_(pa.int8())
# Attention over visual tokens and nodes, and the square that the tokens divide, in pixels of the film.
ATTENTION_COLUMNS = ("attention", "node_attention", "square_px")
EXPLAINED = "explained"
SHARES = "perturbed_shares"
# Probability of the answer under each share: patches removed, or shown on an empty film.
CURVES = ("deletion", "insertion", "deletion_random", "insertion_random")
# Probability of the answer with all nodes, without the supporting ones, without as many others.
ABLATION = "ablation_probabilities"
ABLATION_CHANGES = "ablation_changes"
ABLATED_NODES = ("ablated_nodes", "ablated_nodes_random")
EXPLANATION_COLUMNS: tuple[tuple[str, pa.DataType], ...] = (
    (SHARES, _NUMBERS),
    *((name, _NUMBERS) for name in CURVES),
    *((name, _NODES) for name in ABLATED_NODES),
    (ABLATION, _NUMBERS),
    (ABLATION_CHANGES, pa.list_(pa.bool_())),
)

# All optional columns of VQA predictions that explain answers.
OPTIONAL_COLUMNS: tuple[tuple[str, pa.DataType], ...] = (
    *((name, _NUMBERS) for name in ATTENTION_COLUMNS),
    (EXPLAINED, pa.bool_()),
    *EXPLANATION_COLUMNS,
)


def with_explanations(
    answers: pa.Table, rows: Sequence[int], explanations: Sequence[Mapping[str, Any]]
) -> pa.Table:
    """Adds the columns of explanations; null in rows that were not explained, or where one is undefined.

    Args:
        answers: a table of VQA predictions.
        rows: `[N]` places of the explained rows in it.
        explanations: `[N]` values by column; a column without a value is undefined.
    """
    values: dict[str, list[Any]] = {name: [None] * answers.num_rows for name, _ in EXPLANATION_COLUMNS}
    explained = [False] * answers.num_rows
    for row, explanation in zip(rows, explanations, strict=True):
        explained[row] = True
        for name, value in explanation.items():
            values[name][row] = value
    answers = answers.append_column(pa.field(EXPLAINED, pa.bool_()), pa.array(explained, pa.bool_()))
    for name, kind in EXPLANATION_COLUMNS:
        answers = answers.append_column(pa.field(name, kind), pa.array(values[name], kind))
    return answers
