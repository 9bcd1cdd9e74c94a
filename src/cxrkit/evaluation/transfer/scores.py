"""From the answers to an external question set to the content of `transfer_report.json`.

The sets name no patients: intervals resample films, which is said wherever an interval stands.
"""

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cxrkit.evaluation import columns
from cxrkit.evaluation.definitions import DEFINITIONS, describe_definitions
from cxrkit.evaluation.measured import N_RESAMPLES, SEED, Basis, Measured, measure
from cxrkit.evaluation.row_means import mean_of_rows
from cxrkit.evaluation.transfer.table import read_external_metadata
from cxrkit.metrics import counts
from cxrkit.metrics.ranking import weighted_auroc
from cxrkit.metrics.statistics import PatientResamples, RankStatistic, SumStatistic
from cxrkit.metrics.text import text_scores_of_rows
from cxrkit.version import __version__
from cxrkit.vocabulary.text_mentions import findings_in_text, regions_in_text

SCHEMA_VERSION = 1
MODEL, BLANK, MAJORITY = "model", "blank_image", "majority"
YES_NO, OPEN = "yes_no", "open"


def score_transfer(table: pa.Table, *, n_resamples: int = N_RESAMPLES) -> dict[str, Any]:
    """Scores the answers of each condition, with intervals over films.

    The control `majority` gives every question the commonest answer of this very set and question type: the
    best constant, chosen with the answers in view.

    Args:
        table: of `EXTERNAL_SCHEMA`, in any order.
        n_resamples: resamples of films.

    Returns:
        The report as JSON values; equal tables give equal reports.

    Raises:
        ArtifactError: the table is not one of external answers.
    """
    metadata = read_external_metadata(table)
    ordered = table.sort_by([("condition", "ascending"), ("question_id", "ascending")])
    parts = {name: ordered.filter(pc.field("condition") == name).combine_chunks() for name in (MODEL, BLANK)}
    films = _film_numbers(parts[MODEL])
    resamples = PatientResamples.draw(films, n_resamples, np.random.default_rng(SEED))
    parts[MAJORITY] = _majority(parts[MODEL])
    measured: list[Measured] = []
    for condition, part in parts.items():
        measured += _yes_no(part, condition, films, resamples)
        measured += _open(part, condition, films, resamples)
    return {
        "schema_version": SCHEMA_VERSION,
        "cxrkit_version": __version__,
        **{key: metadata[key] for key in ("dataset", "split", "checkpoint", "graph_source")},
        "n_questions_in_split": metadata["n_total"],
        "n_questions_asked": parts[MODEL].num_rows,
        "n_films": len(resamples.patients),
        "left_out": metadata["left_out"],
        "asked_by_type": dict(sorted(Counter(columns.texts(parts[MODEL], "question_type")).items())),
        "definitions": describe_definitions(entry.name for entry in measured),
        "metrics": [_entry(entry, n_resamples) for entry in measured],
    }


def _entry(entry: Measured, n_resamples: int) -> dict[str, Any]:
    line = entry.to_entry()
    return {
        "name": entry.name,
        "definition_id": DEFINITIONS[entry.name].definition_id,
        "questions": line["head"],
        "condition": line["condition"],
        "value": line["value"],
        "undefined_reason": line["undefined_reason"],
        "interval": line["interval"],
        "interval_method": f"percentile bootstrap over films, 95 %, {n_resamples} resamples, seed {SEED}",
        "n": line["n"],
        "n_films": line["n_patients"],
    }


def _film_numbers(table: pa.Table) -> npt.NDArray[np.int64]:
    return np.unique(np.array(columns.texts(table, "image_name")), return_inverse=True)[1].astype(np.int64)


def _majority(table: pa.Table) -> pa.Table:
    types, answers = columns.texts(table, "question_type"), _answers(table, "answer_reference")
    commonest = {
        kind: min(
            Counter(answer for other, answer in zip(types, answers, strict=True) if other == kind).items(),
            key=lambda entry: (-entry[1], entry[0]),
        )[0]
        for kind in sorted(set(types))
    }
    table = table.set_column(
        table.column_names.index("answer_predicted"),
        "answer_predicted",
        pa.array([commonest[kind] for kind in types]),
    )
    constant = pa.array(np.full(table.num_rows, 0.5, np.float32))
    return table.set_column(table.column_names.index("probability_yes"), "probability_yes", constant)


def _answers(table: pa.Table, name: str) -> list[str]:
    return [text.lower().rstrip(". ") for text in columns.texts(table, name)]


def _yes_no(
    table: pa.Table, condition: str, films: npt.NDArray[np.int64], resamples: PatientResamples
) -> list[Measured]:
    chosen = np.array(columns.texts(table, "head")) == "binary"
    part, films = table.filter(pa.array(chosen)), films[chosen]
    basis = Basis.of_rows(YES_NO, condition, films)
    reference = np.array([answer == "yes" for answer in _answers(part, "answer_reference")], np.int64)
    predicted = np.array([answer == "yes" for answer in _answers(part, "answer_predicted")], np.int64)
    confusion = counts.confusion_of_rows(reference, predicted, 2)
    metrics = {
        "accuracy": counts.accuracy_of_confusion,
        "balanced_accuracy": counts.balanced_accuracy_of_confusion,
    }
    sums = [
        measure(name, basis, SumStatistic.of_rows(confusion, films, resamples, metric), resamples)
        for name, metric in metrics.items()
    ]
    scores = columns.numbers(part, "probability_yes").astype(np.float64)
    ranking = RankStatistic.of_rows(reference == 1, scores, films, resamples, weighted_auroc)
    return [*sums, measure("auroc", basis, ranking, resamples, n_positive=int(reference.sum()))]


def _open(
    table: pa.Table, condition: str, films: npt.NDArray[np.int64], resamples: PatientResamples
) -> list[Measured]:
    chosen = np.array(columns.texts(table, "head")) != "binary"
    part, films = table.filter(pa.array(chosen)), films[chosen]
    basis = Basis.of_rows(OPEN, condition, films)
    references, predicted = _answers(part, "answer_reference"), _answers(part, "answer_predicted")
    scores = text_scores_of_rows(references, predicted)
    texts = [
        measure(name, basis, mean_of_rows(scores[:, column], films, resamples), resamples)
        for column, name in enumerate(("answer_exact_match", "answer_token_f1"))
    ]
    named = [_names(text) for text in references]
    known = np.array([bool(names) for names in named], bool)
    shared = np.array(
        [bool(names & _names(text)) for names, text in zip(named, predicted, strict=True) if names], float
    )
    about = Basis.of_rows(OPEN, condition, films[known])
    shared_class = mean_of_rows(shared, films[known], resamples)
    return [*texts, measure("answer_names_reference_class", about, shared_class, resamples)]


def _names(text: str) -> frozenset[tuple[str, int]]:
    return frozenset(
        [
            *(("finding", index) for index in findings_in_text(text)),
            *(("region", index) for index in regions_in_text(text)),
        ]
    )
