"""BERTScore of the answers, computed once and stored with them, so that scoring needs no language model."""

import importlib.metadata
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from cxrkit.errors import CxrkitError, WeightsError
from cxrkit.evaluation.text_pairs import BERTSCORE, TextPairs
from cxrkit.inference.schema import METADATA_KEY

Progress = Callable[[str, int, int], None]
_PAIRS_AT_ONCE = 512


def open_scorer(model: str) -> Any:
    """Loads a BERTScore model, before anything is predicted.

    Args:
        model: a local folder of transformers' `save_pretrained`, or a name on the hub.

    Raises:
        CxrkitError: the package bert-score is not installed.
        WeightsError: the model cannot be loaded.
    """
    try:
        from bert_score import BERTScorer
        from bert_score.utils import model2layers
    except ImportError as error:
        raise CxrkitError(
            "BERTScore needs the package bert-score",
            expected="bert-score",
            found=str(error),
            next_step="pip install 'cxrkit[bertscore]', or leave --bertscore_model out",
        ) from error
    try:
        layers = model2layers.get(model) or _last_layer(model)
        scorer = BERTScorer(model_type=model, num_layers=layers, rescale_with_baseline=False)
    except (OSError, ValueError, RuntimeError, KeyError, ImportError) as error:
        raise WeightsError(
            f"the BERTScore model {model} cannot be loaded",
            expected="a folder with configuration, weights and tokenizer, or a name on the hub",
            found=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            next_step="pass a local folder to --bertscore_model, or leave it out: none is then computed",
        ) from error
    # A tokenizer that was saved without its limit names one that no tokenizer can take.
    positions = int(getattr(scorer._model.config, "max_position_embeddings", 512))
    scorer._tokenizer.model_max_length = min(scorer._tokenizer.model_max_length, positions)
    return scorer


def with_bertscore(table: pa.Table, scorer: Any, model: str, *, progress: Progress | None = None) -> pa.Table:
    """Gives the prediction table with the column `bertscore_f1`, and the model's name in its metadata.

    Args:
        table: of VQA predictions.
        scorer: from `open_scorer`.
        model: its name.
        progress: called with (stage, pairs done, pairs).
    """
    texts = TextPairs.of_table(table)
    scores: list[float] = []
    for start in range(0, len(texts.references), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        scores += _f1(scorer, texts.references[part], texts.predictions[part])
        if progress is not None:
            progress("BERTScore", len(scores), len(texts.references))
    column = pa.array(np.array(scores)[texts.pair_of_row], pa.float32())
    metadata = json.loads(table.schema.metadata[METADATA_KEY])
    metadata["bertscore"] = {
        "model": model,
        "num_layers": int(scorer.num_layers),
        "bert_score": importlib.metadata.version("bert-score"),
    }
    scored = table.append_column(BERTSCORE, column)
    return scored.replace_schema_metadata({METADATA_KEY: json.dumps(metadata, sort_keys=True).encode()})


def _f1(scorer: Any, references: Sequence[str], predictions: Sequence[str]) -> list[float]:
    """Gives the F1 of each pair; 0 where a text is empty, which has no token to match."""
    full = [
        place
        for place, pair in enumerate(zip(references, predictions, strict=True))
        if all(map(str.strip, pair))
    ]
    scores = [0.0] * len(references)
    if full:
        _, _, f1 = scorer.score([predictions[place] for place in full], [references[place] for place in full])
        for place, value in zip(full, f1.tolist(), strict=True):
            scores[place] = value
    return scores


def _last_layer(model: str) -> int:
    from transformers import AutoConfig

    return int(AutoConfig.from_pretrained(model).num_hidden_layers)
