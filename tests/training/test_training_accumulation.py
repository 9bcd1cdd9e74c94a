"""An update of several batches is the update of one batch with all their films."""

import json

import pytest
import torch
from safetensors.torch import load_file
from test_training_runs import classify_settings, vqa_settings

from cxrkit.training import vqa
from cxrkit.training.classify import train_classifier
from cxrkit.training.modules import VQAModule
from cxrkit.training.vqa import train_vqa

SETTINGS = {
    "training.max_steps": 3, "training.eval_steps": 3, "training.save_steps": 3, "data.max_samples": 24,
    "model.visual_backbone": "test_vit", "training.warmup_ratio": 0.0,
}  # fmt: skip
WITHOUT_DROPOUT = {"model.hidden_dropout_prob": 0.0, "model.attention_probs_dropout_prob": 0.0}
SIZES = [(8, 1), (2, 4)]
SMALL_DIFFERENCE = 2e-4


def train(task, workspace, run_dir, batch_size, accumulation):
    more = SETTINGS | {
        "training.batch_size_per_gpu": batch_size, "training.gradient_accumulation_steps": accumulation,
    }  # fmt: skip
    if task == "classify":
        # Few labels count, and differently many in each batch.
        own = {"model.label_policy": "blank_ignore", "model.drop_path_rate": 0.0}
        return train_classifier(classify_settings(workspace, run_dir, **more, **own)).run_dir

    return train_vqa(vqa_settings(workspace, run_dir, **more, **WITHOUT_DROPOUT)).run_dir


def without_dropout(monkeypatch):
    plain = vqa.scratch_text_config

    def configuration(*args):
        return plain(*args) | {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}

    monkeypatch.setattr(vqa, "scratch_text_config", configuration)


@pytest.mark.parametrize("task", ["classify", "vqa"])
def test_accumulated_batches_make_the_update_of_one_batch(task, workspace, tmp_path, monkeypatch):
    without_dropout(monkeypatch)
    runs = [
        train(task, workspace, tmp_path / str(accumulation), batch_size, accumulation)
        for batch_size, accumulation in SIZES
    ]
    lines = [[json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()] for run in runs]
    for whole, parts in zip(*lines, strict=True):
        assert whole.keys() == parts.keys()
        for key in whole:
            # A validation loss is the mean over its batches, and those have other sizes.
            if key != "eval_loss":
                assert parts[key] == pytest.approx(whole[key], rel=SMALL_DIFFERENCE, abs=SMALL_DIFFERENCE), (
                    key
                )
    weights = [load_file(run / "checkpoint-3/model.safetensors") for run in runs]
    for name, weight in weights[0].items():
        torch.testing.assert_close(weights[1][name], weight, rtol=0, atol=SMALL_DIFFERENCE, msg=name)


@pytest.mark.parametrize("source", ["oracle", "predicted", "none"])
def test_targets_are_counted_before_the_network_as_after_it(source, workspace, tmp_path, monkeypatch):
    seen = []
    plain = vqa.VQAModule.forward

    def forward(self, batch, counts=None):
        found, own = plain(self, batch), plain(self, batch, self.counts(batch))
        seen.append((found["parts"], own["parts"]))
        return plain(self, batch, counts)

    monkeypatch.setattr(VQAModule, "forward", forward)
    more = WITHOUT_DROPOUT | {"model.scene_graph_source": source, "training.max_steps": 1}
    without_dropout(monkeypatch)
    train_vqa(vqa_settings(workspace, tmp_path / "run", **more))
    for found, own in seen:
        assert {"binary", "category", "region", "severity", "chexpert", "grounding"} <= found.keys()
        for name, value in found.items():
            torch.testing.assert_close(own[name], value, rtol=1e-4, atol=1e-5)
