"""Where a backbone's weights come from; never a silent random start."""

import pytest
import torch
from safetensors.torch import save_file

from cxrkit.errors import WeightsError
from cxrkit.models.backbone import FeatureMap, create_backbone
from cxrkit.models.classifier import CXRClassifier
from cxrkit.models.configuration import ClassifierConfig

CONFIG = ClassifierConfig("resnet10t", image_size=64, image_mean=(0.5,) * 3, image_std=(0.25,) * 3)


@pytest.mark.parametrize(("name", "stride"), [("resnet10t", 16), ("convnext_atto", 16), ("test_efficientnet", 16)])
def test_feature_map_is_at_the_second_last_stage(name, stride):
    features = FeatureMap(name, pretrained=False, channels=32)(torch.randn(1, 3, 64, 64))
    assert features.shape == (1, 32, 64 // stride, 64 // stride)


def test_a_classifier_hands_its_weights_to_a_feature_map(tmp_path):
    classifier = CXRClassifier(CONFIG)
    classifier.save(tmp_path)
    body = FeatureMap("resnet10t", str(tmp_path), channels=32).body
    own, given = body.state_dict(), classifier.network.state_dict()
    assert set(own) <= set(given)
    assert all(torch.equal(own[name], given[name]) for name in own)


def test_a_local_file_is_loaded(tmp_path):
    donor = create_backbone("resnet10t", pretrained=False)
    save_file(donor.state_dict(), tmp_path / "weights.safetensors")
    model = create_backbone("resnet10t", str(tmp_path / "weights.safetensors"))
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in donor.state_dict().items())


def test_another_backbones_classifier_is_refused(tmp_path):
    CXRClassifier(CONFIG).save(tmp_path)
    with pytest.raises(WeightsError, match="another backbone"):
        create_backbone("resnet18", str(tmp_path))


def test_wrong_names_and_paths_are_told(tmp_path):
    with pytest.raises(WeightsError, match="unknown visual backbone"):
        create_backbone("resnet99", pretrained=False)
    with pytest.raises(WeightsError, match="no weights at"):
        create_backbone("resnet10t", str(tmp_path / "nothing"))
    (tmp_path / "damaged.safetensors").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="cannot be loaded"):
        create_backbone("resnet10t", str(tmp_path / "damaged.safetensors"))
