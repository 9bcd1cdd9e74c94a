"""The same network computed otherwise: in a fixed order, compiled, with channels last."""

import os
import shutil
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from cxrkit.config import load_settings
from cxrkit.errors import SettingsError
from cxrkit.training import arithmetic
from cxrkit.training.arithmetic import dcnv3_backend, fixed_order, use_channels_last
from cxrkit.training.classify import train_classifier

TINY = {
    "data.image_size": 32, "data.image_store_size": 96, "data.max_samples": 16,
    "model.visual_backbone": "resnet10t", "model.pretrained": False, "training.max_steps": 3,
    "training.batch_size_per_gpu": 4, "training.gradient_accumulation_steps": 1,
    "training.dataloader_num_workers": 0, "training.gradient_checkpointing": False, "wandb.enabled": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def weights_with(workspace, tmp_path_factory):
    def train(**more):
        paths = {"data.workspace": workspace, "training.output_dir": tmp_path_factory.mktemp("run") / "run"}
        run = train_classifier(load_settings(None, "classify", TINY | paths | more))
        return load_file(run.run_dir / "checkpoint-3/model.safetensors")

    return train


@pytest.fixture(scope="module")
def plain(weights_with):
    return weights_with()


@pytest.mark.parametrize(
    "key",
    [
        "deterministic",
        "channels_last",
        pytest.param(
            "torch_compile",
            # A minute of compiling.
            marks=[
                pytest.mark.long,
                pytest.mark.skipif(shutil.which("g++") is None, reason="PyTorch's compiler needs g++ here"),
            ],
        ),
    ],
)
def test_the_training_is_the_same(key, plain, weights_with):
    found = weights_with(**{f"training.{key}": True})
    assert found.keys() == plain.keys()
    for name, value in plain.items():
        torch.testing.assert_close(found[name].contiguous(), value, rtol=1e-3, atol=2e-4, msg=name)


def test_films_reach_the_backbone_with_channels_last():
    seen = []
    backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    backbone[0].register_forward_pre_hook(lambda _module, given: seen.append(given[0]))
    use_channels_last(backbone)
    out = backbone(torch.zeros(2, 3, 8, 8))
    assert seen[0].is_contiguous(memory_format=torch.channels_last)
    assert backbone[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert out.shape == (2, 4, 6, 6)


def test_what_has_no_fixed_order_is_named(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    told = "grid_sampler_2d_backward_cuda does not have a deterministic implementation, but you set ..."
    with pytest.raises(SettingsError, match="grid_sampler_2d_backward_cuda"), fixed_order(True):
        raise RuntimeError(told)
    with fixed_order(True):
        assert torch.are_deterministic_algorithms_enabled()
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"]
    assert not torch.are_deterministic_algorithms_enabled()
    with pytest.raises(RuntimeError, match="another"), fixed_order(True):
        raise RuntimeError("another")


def test_without_the_setting_nothing_changes():
    with fixed_order(False):
        assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(("asked", "found"), [("auto", "reference"), ("reference", "reference")])
def test_a_gpu_sums_the_gradients_of_dcnv3_in_a_fixed_order(asked, found, monkeypatch):
    monkeypatch.setattr(arithmetic, "torch", SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: True)))
    chosen = {"model.dcnv3_backend": asked, "training.deterministic": True}
    assert dcnv3_backend(load_settings(None, "classify", chosen)) == found
    assert dcnv3_backend(load_settings(None, "classify", {"model.dcnv3_backend": asked})) == asked
    triton = {"model.dcnv3_backend": "triton", "training.deterministic": True}
    with pytest.raises(SettingsError, match="found triton, expected reference"):
        dcnv3_backend(load_settings(None, "classify", triton))
