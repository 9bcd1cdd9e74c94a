"""Scoring: seconds and memory of `cxrkit score` on many questions, beside a plain loop over the samples.

The table has the columns and proportions of a real one (MIMIC's test split has about 185 questions a study):
all heads, boxes, node scores, sentences of which equal pairs occur often, the model and its controls. It is
scored in a process of its own, from the Parquet file to the written report and page, with resamples of
patients for every figure. The baseline goes through the model's rows one by one, as evaluation scripts do,
with nltk's sentence BLEU, rouge-score and counters, without any interval; it is timed on some of the rows and
its time is taken to grow with their number.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from measure import peak_memory, run_in_own_process, show

from cxrkit.inference.schema import VQA_SCHEMA, with_metadata
from cxrkit.vocabulary import CLASSES_OF_HEAD, FINDINGS, MULTI_LABEL_HEADS, QUESTION_TYPES, REGIONS, Head

QUESTIONS_PER_STUDY, STUDIES_PER_PATIENT = 185, 2
CONDITIONS = ("model", "majority")
SHARE_WITH_BOXES = 0.3


def make_table(questions: int, conditions: tuple[str, ...], seed: int = 0) -> pa.Table:
    """Makes a prediction table."""
    parts = [_rows(questions, condition, seed) for condition in conditions]
    metadata = {
        "task": "vqa", "split": "test", "index_fingerprint": "0" * 64, "checkpoint": "benchmark",
        "graph_source": "predicted", "roi_source": "roi", "entities": [], "n_free_text": 0,
        "n_free_text_by_type": {}, "n_masked": 0,
    }  # fmt: skip
    return with_metadata(pa.concat_tables(parts), metadata)


def _rows(questions: int, condition: str, seed: int) -> pa.Table:
    draw = np.random.default_rng(seed)
    own = np.random.default_rng([seed, CONDITIONS.index(condition) if condition in CONDITIONS else 9])
    study = np.arange(questions) // QUESTIONS_PER_STUDY
    types = [entry for entry in QUESTION_TYPES if entry.head is not Head.FREE_TEXT]
    kind = draw.integers(0, len(types), questions)
    heads = np.array([str(entry.head) for entry in types])[kind]
    columns: dict[str, object] = {
        "condition": pa.array(np.full(questions, condition)),
        "question_row": np.arange(questions),
        "subject_id": 10_000_000 + study // STUDIES_PER_PATIENT,
        "study_id": 50_000_000 + study,
        "dicom_id": np.char.add("d", study.astype(str)),
        "question_id": np.char.add("q", np.arange(questions).astype(str)),
        "question_type": np.array([entry.name for entry in types])[kind],
        "head": heads,
        "rating": draw.integers(3, 7, questions),
        "question": np.char.add("Question ", draw.integers(0, 5000, questions).astype(str)),
        "answer_reference": _sentences(draw, questions),
        "answer_predicted": _sentences(own, questions),
    }
    columns |= _answers(heads, draw, own)
    columns |= _boxes(questions, draw, own, predicts=condition != "majority")
    for field in VQA_SCHEMA:
        if field.name not in columns:
            columns[field.name] = _filling(field, study, questions)
    return pa.table(
        {name: pa.array(columns[name]).cast(VQA_SCHEMA.field(name).type) for name in VQA_SCHEMA.names}
    )


def _filling(field: pa.Field, study: np.ndarray, questions: int) -> object:
    if pa.types.is_string(field.type):
        return np.array(["AP", "PA"])[study % 2]
    if pa.types.is_list(field.type):
        return pa.array([[]] * questions, field.type)
    return np.zeros(questions)


def _sentences(draw: np.random.Generator, questions: int) -> np.ndarray:
    """Answers in the manner of the data set: some tens of thousands of different ones."""
    states = np.array(["Yes, there is", "No, there is no", "There is", "No evidence of", "Mild", "Severe"])
    places = np.char.add(" in the ", np.array(REGIONS))
    ends = np.array([".", ", unchanged since the last film.", ", as seen before.", " on this film."])
    findings = np.char.add(" ", np.char.lower(np.array(FINDINGS)))
    pieces = [parts[draw.integers(0, len(parts), questions)] for parts in (states, findings, places, ends)]
    text = pieces[0]
    for piece in pieces[1:]:
        text = np.char.add(text, piece)
    return text


def _answers(heads: np.ndarray, draw: np.random.Generator, own: np.random.Generator) -> dict[str, object]:
    widths = np.array([len(CLASSES_OF_HEAD[Head(head)]) for head in heads])
    starts = np.concatenate([[0], np.cumsum(widths)])
    truth = draw.random(starts[-1]) < 0.12
    scores = np.clip(0.35 * truth + 0.5 * own.random(starts[-1]), 0, 1).astype(np.float32)
    for head in (Head.BINARY, Head.SEVERITY):
        rows = np.flatnonzero(heads == head.value)
        width = len(CLASSES_OF_HEAD[head])
        cells = starts[rows][:, None] + np.arange(width)
        truth[cells] = np.eye(width, dtype=bool)[draw.integers(0, width, len(rows))]
        scores[cells] /= scores[cells].sum(1, keepdims=True)
    chosen = scores >= 0.5
    for head in (Head.BINARY, Head.SEVERITY):
        rows = np.flatnonzero(heads == head.value)
        cells = starts[rows][:, None] + np.arange(len(CLASSES_OF_HEAD[head]))
        chosen[cells] = np.eye(cells.shape[1], dtype=bool)[scores[cells].argmax(1)]
    assert set(MULTI_LABEL_HEADS) | {Head.BINARY, Head.SEVERITY} >= {Head(head) for head in set(heads)}
    return {
        "probabilities": pa.ListArray.from_arrays(pa.array(starts, pa.int32()), pa.array(scores)),
        "classes_reference": _members(truth, starts),
        "classes_predicted": _members(chosen, starts),
    }


def _members(chosen: np.ndarray, starts: np.ndarray) -> pa.Array:
    before = np.concatenate([[0], np.cumsum(chosen)])
    row = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    places = np.arange(len(chosen)) - starts[row]
    offsets = pa.array(before[starts], pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.array(places[chosen].astype(np.int8)))


def _boxes(
    questions: int, draw: np.random.Generator, own: np.random.Generator, *, predicts: bool
) -> dict[str, object]:
    grounded = draw.random(questions) < SHARE_WITH_BOXES
    reference = np.where(grounded, draw.integers(1, 4, questions), 0)
    predicted = own.integers(0, 4, questions) if predicts else np.zeros(questions, int)
    nodes = 26 if predicts else 0
    supports = np.where(grounded, 2, 0)
    return {
        "boxes_reference": _box_lists(draw, reference),
        "has_boxes_reference": grounded,
        "boxes_predicted": _box_lists(own, predicted),
        "box_scores": _lists(own.uniform(0.5, 1, predicted.sum()).astype(np.float32), predicted),
        "node_scores": _lists(own.random(questions * nodes).astype(np.float32), np.full(questions, nodes)),
        "nodes_reference": _lists(np.tile(np.array([3, 5], np.int8), int(grounded.sum())), supports),
    }


def _box_lists(draw: np.random.Generator, counts: np.ndarray) -> pa.Array:
    corner = draw.uniform(0, 1500, (counts.sum(), 2))
    boxes = np.concatenate([corner, corner + draw.uniform(200, 1200, corner.shape)], 1).astype(np.float32)
    inner = _lists(boxes.ravel(), np.full(len(boxes), 4))
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), inner)


def _lists(values: np.ndarray, lengths: np.ndarray) -> pa.Array:
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(values))


def score_side(path: Path, resamples: int) -> dict[str, float]:
    """Scores a file as `cxrkit score` does; time and memory of this process."""
    from cxrkit.evaluation.publish import publish_scores

    with peak_memory() as peak:
        start = time.perf_counter()
        publish_scores(path, path.parent / "out", n_resamples=resamples)
        seconds = time.perf_counter() - start
    return {"seconds": seconds, "peak_mb": peak.megabytes}


def plain_side(path: Path, rows: int) -> dict[str, float]:
    """Goes through some of the model's rows one by one."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
    from rouge_score import rouge_scorer

    table = pq.read_table(path, columns=["condition", "answer_reference", "answer_predicted",
                                         "classes_reference", "classes_predicted"])  # fmt: skip
    samples = table.filter(pc.field("condition") == "model").slice(0, rows).to_pylist()
    scorer, smooth = rouge_scorer.RougeScorer(["rougeL"]), SmoothingFunction().method1
    start = time.perf_counter()
    bleu = rouge = right = 0.0
    for row in samples:
        reference, predicted = row["answer_reference"], row["answer_predicted"]
        bleu += sentence_bleu([reference.split()], predicted.split(), smoothing_function=smooth)
        rouge += scorer.score(reference, predicted)["rougeL"].fmeasure
        right += set(row["classes_reference"]) == set(row["classes_predicted"])
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "rows": float(len(samples)), "means": bleu + rouge + right}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--questions", type=int, default=600_000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--conditions", default=",".join(CONDITIONS), help="model and controls, with commas")
    parser.add_argument("--plain_rows", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", choices=("score", "plain", "make"))
    parser.add_argument("--path", type=Path)
    given = parser.parse_args()
    if given.side == "make":
        from cxrkit.evaluation.predictions import write_predictions

        write_predictions(make_table(given.questions, tuple(given.conditions.split(","))), given.path)
        print(json.dumps({"mb": given.path.stat().st_size / 2**20}))
        return
    if given.side:
        found = (
            score_side(given.path, given.resamples)
            if given.side == "score"
            else plain_side(given.path, given.plain_rows)
        )
        print(json.dumps(found))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "predictions.parquet"
        own = [__file__, "--path", path]
        made = run_in_own_process(
            [*own, "--side", "make", "--questions", given.questions, "--conditions", given.conditions]
        )
        scored = run_in_own_process([*own, "--side", "score", "--resamples", given.resamples])
        plain = run_in_own_process([*own, "--side", "plain", "--plain_rows", given.plain_rows])
    whole = plain["seconds"] / plain["rows"] * given.questions
    figures: dict[str, object] = {
        "questions": given.questions,
        "conditions": len(given.conditions.split(",")),
        "resamples": given.resamples,
        "file_mb": made["mb"],
        "plain_rows_timed": int(plain["rows"]),
        "plain_seconds_for_all": whole,
        "seconds": scored["seconds"],
        "ratio": whole / scored["seconds"],
        "peak_mb": scored["peak_mb"],
    }
    show(figures, given.json)


if __name__ == "__main__":
    sys.exit(main())
