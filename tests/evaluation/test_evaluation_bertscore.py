"""BERTScore with a tiny model saved locally, beside bert-score itself; and what stands there without one."""

import json

import bert_score
import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizerFast

from cxrkit.errors import WeightsError
from cxrkit.evaluation.bertscore import open_scorer, with_bertscore
from cxrkit.evaluation.publish import publish_evaluation
from cxrkit.evaluation.report import find_entry, read_report

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "yes", "no", "there", "is", "an", "effusion", ".", ","]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bert")
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    return folder


def test_values_are_those_of_bert_score(folder, vqa_table):
    table = with_bertscore(vqa_table, open_scorer(str(folder)), str(folder))
    rows = table.to_pylist()
    _, _, f1 = bert_score.score(
        [row["answer_predicted"] for row in rows], [row["answer_reference"] for row in rows],
        model_type=str(folder), num_layers=2,
    )  # fmt: skip
    np.testing.assert_allclose([row["bertscore_f1"] for row in rows], f1.numpy(), atol=1e-6)
    assert json.loads(table.schema.metadata[b"cxrkit"])["bertscore"]["num_layers"] == 2


def test_the_report_has_it_and_scores_it_again_without_the_model(folder, vqa_table, tmp_path):
    table = with_bertscore(vqa_table, open_scorer(str(folder)), str(folder))
    result = publish_evaluation(table, tmp_path)
    entry = find_entry(read_report(result.report_path), "answer_bertscore", "binary", "model")
    expected = np.mean(
        [
            row["bertscore_f1"]
            for row in table.to_pylist()
            if (row["condition"], row["head"]) == ("model", "binary")
        ]
    )
    assert entry["value"] == pytest.approx(expected, abs=1e-9)
    assert entry["interval"][0] <= entry["value"] <= entry["interval"][1]


def test_without_a_model_it_is_not_computed_and_not_replaced(vqa_table, tmp_path):
    result = publish_evaluation(vqa_table, tmp_path)
    entry = find_entry(read_report(result.report_path), "answer_bertscore", "binary", "model")
    assert entry["value"] is None
    assert entry["undefined_reason"].startswith("not computed: no BERTScore model")


def test_an_empty_text_scores_nothing(folder, vqa_table):
    rows = vqa_table.to_pylist()
    rows[0]["answer_predicted"] = " "
    table = type(vqa_table).from_pylist(rows, vqa_table.schema)
    assert with_bertscore(table, open_scorer(str(folder)), "tiny").column("bertscore_f1")[0].as_py() == 0.0


def test_a_model_that_cannot_be_loaded_is_told(tmp_path):
    with pytest.raises(WeightsError, match="cannot be loaded"):
        open_scorer(str(tmp_path))
