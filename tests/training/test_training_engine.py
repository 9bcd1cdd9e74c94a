"""What the engine is told: one GPU per process, DeepSpeed's stage, tracking, and numbers that JSON knows."""

import json
import logging
from pathlib import Path

import pytest
import torch

from cxrkit.config import load_settings
from cxrkit.errors import ArtifactError, SettingsError
from cxrkit.training import arguments
from cxrkit.training.deepspeed_configuration import DEFAULT
from cxrkit.training.run_folder import defined_or_none, require_free_run, start_run, with_absolute_paths


@pytest.fixture
def settings(tmp_path):
    def settings(**more):
        paths = {"training.output_dir": tmp_path / "run", "wandb.enabled": False}
        return load_settings(None, "vqa", paths | more)

    return settings


@pytest.fixture
def two_processes(monkeypatch):
    found = arguments.importlib.util.find_spec
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(
        arguments.importlib.util, "find_spec", lambda name: name if name == "deepspeed" else found(name)
    )


def test_one_process_never_splits_batches_among_gpus(settings, monkeypatch, caplog):
    given = arguments.training_arguments(settings(), steps_per_epoch=4)
    monkeypatch.setattr(given, "_n_gpu", 4)
    assert given.n_gpu == 4
    with caplog.at_level(logging.WARNING, logger="cxrkit"):
        arguments._keep_to_one_gpu(given)
    assert given.n_gpu == 1
    assert "torchrun --nproc_per_node 4" in caplog.text


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", "bfloat16"), ("fp16", "float16"), ("fp32", None)])
def test_deepspeed_gets_stage_and_arithmetic_of_the_settings(
    precision, dtype, settings, two_processes, tmp_path
):
    path = tmp_path / "ds.json"
    zero = {"stage": 2, "reduce_bucket_size": "auto", "x": 1}
    path.write_text(json.dumps({"bf16": {"enabled": "auto"}, "zero_optimization": zero}))
    chosen = settings(**{"deepspeed.config_path": path, "deepspeed.stage": 1})
    found = arguments._deepspeed(chosen, precision)
    autocast = found.pop("torch_autocast", {"dtype": None})
    assert autocast["dtype"] == dtype
    # Weights and batches stay in single precision.
    assert found == {
        "bf16": {"enabled": False},
        "fp16": {"enabled": False},
        "zero_optimization": {"stage": 1, "x": 1, "reduce_bucket_size": 200_000_000},
    }


@pytest.mark.parametrize(
    ("text", "stage", "told"),
    [(None, 2, "cannot be read"), ("{", 2, "cannot be read"), ("[]", 2, "no DeepSpeed"), ("{}", 3, "stage")],
)
def test_a_deepspeed_configuration_that_cannot_be_used(text, stage, told, settings, two_processes, tmp_path):
    path = tmp_path / "ds.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SettingsError, match=told):
        arguments._deepspeed(settings(**{"deepspeed.config_path": path, "deepspeed.stage": stage}), "fp32")


def test_outside_the_project_the_same_deepspeed_configuration_is_built_in(
    settings, two_processes, tmp_path, monkeypatch
):
    own = json.loads((Path(__file__).parents[2] / "configs/deepspeed_config.json").read_text())
    assert own == DEFAULT
    monkeypatch.chdir(tmp_path)
    assert arguments._deepspeed(settings(), "fp32")["zero_optimization"]["stage"] == 2


def test_deepspeed_is_left_out_of_a_single_process(settings, tmp_path, monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert arguments._deepspeed(settings(**{"deepspeed.config_path": tmp_path / "nowhere"}), "fp32") is None


def test_numbers_that_json_does_not_know_become_null():
    found = defined_or_none({"a": float("nan"), "b": float("inf"), "c": 1, "d": 0.5})
    assert found == {"a": None, "b": None, "c": 1, "d": 0.5}


def test_only_a_model_or_a_checkpoint_blocks_a_folder(settings, tmp_path):
    run_dir = start_run(settings(), {})
    (run_dir / "metrics.jsonl").write_text("{}\n")
    require_free_run(settings())
    assert start_run(settings(), {}) == run_dir
    assert not (run_dir / "metrics.jsonl").exists()
    for name in ("checkpoint-5", "best_model", "best_model.old"):
        (run_dir / name).mkdir()
        with pytest.raises(ArtifactError, match="earlier run"):
            require_free_run(settings())
        (run_dir / name).rmdir()


def test_paths_in_a_model_hold_in_any_folder(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = with_absolute_paths(settings(**{"data.workspace": "w", "data.mimic_cxr_jpg_path": "films"}))
    assert found.data.workspace == tmp_path / "w"
    assert found.data.mimic_cxr_jpg_path == tmp_path / "films"
    # What was not set stays recognisable as that.
    assert str(found.data.mimic_ext_cxr_qba_path).startswith("/path/to")


def test_a_metric_without_value_is_told_and_the_last_model_kept(workspace, tmp_path, monkeypatch):
    from cxrkit.training import classify
    from cxrkit.training.validation import Validated

    found = Validated({"loss": 0.5, "mean_auroc": float("nan")}, None)
    monkeypatch.setattr(classify, "validate_classifier", lambda *_, **__: found)
    chosen = load_settings(
        None,
        "classify",
        {
            "data.workspace": workspace, "training.output_dir": tmp_path / "run", "data.image_size": 32,
            "data.image_store_size": 96, "data.max_samples": 8, "model.visual_backbone": "resnet10t",
            "model.pretrained": False, "training.max_steps": 2, "training.batch_size_per_gpu": 4,
            "training.gradient_accumulation_steps": 1, "training.dataloader_num_workers": 0,
            "wandb.enabled": False, "training.gradient_checkpointing": False,
        },
    )  # fmt: skip
    run = classify.train_classifier(chosen)
    assert (run.chosen, run.step, run.metrics) == (False, 2, {"loss": 0.5, "mean_auroc": None})
    written = [*run.run_dir.glob("checkpoint-*/trainer_state.json"), *run.run_dir.glob("*/*metadata.json")]
    assert len(written) >= 2
    for path in [*written, run.run_dir / "metrics.jsonl"]:
        assert "NaN" not in path.read_text()
    assert torch.isfinite(classify.CXRClassifier.from_pretrained(run.best_model).network.fc.bias).all()


def test_the_learning_rate_follows_the_films_per_update(settings, monkeypatch):
    same = settings(**{"training.learning_rate": 4e-4})
    scaled = settings(
        **{
            "training.learning_rate": 4e-4, "training.learning_rate_batch": 512,
            "training.batch_size_per_gpu": 64, "training.gradient_accumulation_steps": 2,
        }
    )  # fmt: skip
    assert arguments.learning_rate(same) == 4e-4
    assert arguments.training_arguments(scaled, 9).learning_rate == pytest.approx(1e-4)
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert arguments.learning_rate(scaled) == pytest.approx(4e-4)


def test_checkpoints_come_every_so_many_epochs_or_updates(settings):
    def save_steps(**more):
        return arguments.training_arguments(settings(**more), steps_per_epoch=7).save_steps

    assert save_steps(**{"training.save_epochs": 5}) == 35
    assert save_steps(**{"training.save_steps": 3}) == 3
    assert save_steps(**{"training.save_steps": 100}) == 7


def test_the_recipe_of_internimage_b(tmp_path):
    config = Path(__file__).parents[2] / "configs/internimage_b_mimic_cxr_224.yaml"
    recipe = load_settings(config, "classify", {"training.output_dir": tmp_path, "wandb.enabled": False})
    given = arguments.training_arguments(recipe, steps_per_epoch=2882)
    assert given.learning_rate == pytest.approx(1e-4)
    assert (given.per_device_train_batch_size, given.weight_decay, given.max_grad_norm) == (128, 0.05, 5.0)
    assert given.get_warmup_steps(20 * 2882) == 2 * 2882
    assert (given.eval_steps, given.save_steps, given.lr_scheduler_type) == (2882, 2882, "cosine")
    assert (recipe.training.ema_decay, recipe.training.layer_decay) == (0.9999, 0.875)
    assert (recipe.model.drop_path_rate, recipe.model.label_policy) == (0.5, "zeros")
    assert (recipe.data.erased_share, recipe.data.vary_intensity, recipe.data.view_filter) == (
        0.1,
        False,
        "all",
    )
