"""Where a backbone's weights come from; never a silent random start."""

import json
import time

import pytest
import timm
import torch
from safetensors.torch import save_file

from cxrkit.errors import ArtifactError, WeightsError
from cxrkit.models.backbone import FeatureMap, create_backbone, enable_checkpointing
from cxrkit.models.classifier import CXRClassifier
from cxrkit.models.configuration import ClassifierConfig
from cxrkit.models.hub import hub_is_reachable, is_only_local

CONFIG = ClassifierConfig(
    visual_backbone="resnet10t", image_size=64, image_mean=(0.5,) * 3, image_std=(0.25,) * 3
)


@pytest.mark.parametrize(
    ("name", "stride"), [("resnet10t", 16), ("convnext_atto", 16), ("test_efficientnet", 16)]
)
def test_feature_map_is_at_the_second_last_stage(name, stride):
    features = FeatureMap(name, pretrained=False, channels=32)(torch.randn(1, 3, 64, 64))
    assert features.shape == (1, 32, 64 // stride, 64 // stride)


def test_a_classifier_hands_its_weights_to_a_feature_map(tmp_path):
    classifier = CXRClassifier(CONFIG)
    classifier.save_pretrained(tmp_path)
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
    CXRClassifier(CONFIG).save_pretrained(tmp_path)
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


@pytest.mark.parametrize("name", ["test_vit", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"])
def test_models_built_for_one_size_take_another(name):
    features = FeatureMap(name, pretrained=False, channels=32, image_size=64)(torch.randn(1, 3, 64, 64))
    assert features.shape[:2] == (1, 32)


@pytest.mark.parametrize("name", ["densenet121", "vgg11"])
def test_what_a_backbone_does_not_take_is_left_out_and_told(name, monkeypatch, caplog):
    # Without building the whole network: only what reaches timm counts.
    given = []

    def create(model, pretrained, **arguments):
        given.append(arguments)
        if "drop_path_rate" in arguments:
            raise TypeError("Net.__init__() got an unexpected keyword argument 'drop_path_rate'")
        if "img_size" in arguments:
            raise TypeError("Net.__init__() got an unexpected keyword argument 'img_size'")
        return torch.nn.Identity()

    monkeypatch.setattr("cxrkit.models.backbone.timm.create_model", create)
    with caplog.at_level("WARNING", logger="cxrkit"):
        create_backbone(name, False, image_size=64, num_classes=14, drop_path_rate=0.1)
    assert given[-1] == {"num_classes": 14}
    assert f"{name} takes no drop_path_rate" in caplog.text
    assert "img_size" not in caplog.text


def test_a_backbone_that_cannot_be_built_is_told():
    with pytest.raises(WeightsError, match="cannot be built"):
        create_backbone("resnet10t", False, no_such_argument=1)


def test_densenet_classifies_without_drop_path():
    config = ClassifierConfig(visual_backbone="densenet121", image_size=64, drop_path_rate=0.1)
    assert CXRClassifier(config).eval()(torch.randn(1, 3, 64, 64)).shape == (1, 14)


@pytest.mark.parametrize(("name", "available"), [("test_vit", True), ("resnet10t", True), ("vgg11", False)])
def test_gradient_checkpointing_where_there_is_some(name, available, caplog):
    with caplog.at_level("WARNING", logger="cxrkit"):
        assert enable_checkpointing(create_backbone(name, False)) is available
    assert ("not available for this backbone" in caplog.text) is not available


def test_gradient_checkpointing_of_a_wrapped_vit():
    body = FeatureMap("test_vit", pretrained=False, channels=32, image_size=64).body
    assert not hasattr(body, "set_grad_checkpointing")
    assert enable_checkpointing(body)
    assert not enable_checkpointing(torch.nn.Identity())


def test_without_a_hub_the_error_comes_at_once(monkeypatch, tmp_path):
    monkeypatch.setattr("cxrkit.models.backbone.hub_is_reachable", lambda: False)
    monkeypatch.setattr("cxrkit.models.backbone.find_cached_file", lambda repository, names: None)
    begin = time.monotonic()
    with pytest.raises(WeightsError, match=r"not in the cache"):
        create_backbone("resnet10t", True)
    assert time.monotonic() - begin < 1


def test_without_a_hub_the_cache_is_used(monkeypatch, tmp_path):
    donor = create_backbone("resnet10t", False)
    save_file(donor.state_dict(), tmp_path / "model.safetensors")
    monkeypatch.setattr("cxrkit.models.backbone.hub_is_reachable", lambda: False)
    cached = tmp_path / "model.safetensors"
    monkeypatch.setattr("cxrkit.models.backbone.find_cached_file", lambda repository, names: cached)
    found = create_backbone("resnet10t", True).state_dict()
    assert all(torch.equal(value, found[name]) for name, value in donor.state_dict().items())


def test_local_folders_need_no_hub(monkeypatch, tmp_path):
    def refuse(*_):
        raise AssertionError("asked for the hub")

    monkeypatch.setattr("cxrkit.models.hub.socket.getaddrinfo", refuse)
    assert is_only_local(str(tmp_path))


def test_a_proxy_stands_for_the_hub(monkeypatch):
    def nothing(*_):
        raise OSError("no such name")

    monkeypatch.setattr("cxrkit.models.hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("cxrkit.models.hub.socket.getaddrinfo", nothing)
    monkeypatch.setattr("cxrkit.models.hub.urllib.request.getproxies", dict)
    assert not hub_is_reachable()
    monkeypatch.setattr("cxrkit.models.hub.urllib.request.getproxies", lambda: {"https": "http://proxy"})
    assert hub_is_reachable()


def test_a_configuration_of_another_version_names_the_differing_keys_only(tmp_path):
    CXRClassifier(CONFIG).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    content = json.loads(path.read_text())
    content["colour"] = content.pop("drop_rate")
    path.write_text(json.dumps(content))
    with pytest.raises(ArtifactError) as caught:
        ClassifierConfig.load(tmp_path)
    told = str(caught.value)
    assert "colour" in told
    assert "drop_rate" in told
    assert "image_mean" not in told


def test_a_whole_convnext_base_state_dict_loads_by_path(tmp_path):
    donor = timm.create_model("convnext_base")
    torch.save({"state_dict": donor.state_dict()}, tmp_path / "convnext_base.pth")
    body = FeatureMap("convnext_base", str(tmp_path / "convnext_base.pth"), channels=32).body
    own = {
        name.replace("stages_", "stages.").replace("stem_", "stem."): v
        for name, v in body.state_dict().items()
    }
    given = donor.state_dict()
    assert len(own) > 300
    assert all(torch.equal(value, given[name]) for name, value in own.items())


@pytest.mark.parametrize("features_only", [True, False])
@pytest.mark.parametrize(
    "wrong", ["another network", "another width", "some missing", "text", "directory of text"]
)
def test_a_wrong_file_is_refused_with_names_and_never_trained_from_random(tmp_path, wrong, features_only):
    path = tmp_path / "weights.pth"
    if wrong == "another network":
        torch.save(timm.create_model("test_efficientnet").state_dict(), path)
    elif wrong == "another width":
        torch.save(timm.create_model("resnet18").state_dict(), path)
    elif wrong == "some missing":
        state = timm.create_model("resnet10t").state_dict()
        torch.save({name: value for name, value in state.items() if "layer3" not in name}, path)
    elif wrong == "text":
        path.write_text("no weights")
    else:
        path = tmp_path / "folder"
        path.mkdir()
        (path / "readme.txt").write_text("no weights")
    arguments = {"features_only": True, "out_indices": (-2, -1)} if features_only else {"num_classes": 14}
    with pytest.raises((WeightsError, ArtifactError)) as caught:
        create_backbone("resnet10t", str(path), **arguments)
    assert str(path) in str(caught.value)
    if wrong == "some missing":
        assert "missing: layer3" in str(caught.value)


@pytest.mark.parametrize("damage", ["empty", "cut", "no weights"])
def test_a_damaged_classifier_folder_is_told(tmp_path, damage):
    CXRClassifier(CONFIG).save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    if damage == "no weights":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "empty" else path.read_bytes()[:2000])
    with pytest.raises(WeightsError, match="cannot be loaded") as caught:
        create_backbone("resnet10t", str(tmp_path))
    assert "model.pretrained" in str(caught.value)


def test_an_empty_file_is_told(tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"")
    with pytest.raises(WeightsError, match="cannot be loaded"):
        create_backbone("resnet10t", str(tmp_path / "weights.pth"))


def test_a_file_of_code_is_refused_without_advice_to_run_it(tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"\x80\x02c__builtin__\neval\n.")
    with pytest.raises(WeightsError, match="without running code") as caught:
        create_backbone("resnet10t", str(tmp_path / "weights.pth"))
    assert "weights_only" not in str(caught.value)


def test_weights_that_nobody_publishes_are_told():
    with pytest.raises(WeightsError, match="no published weights of internimage_nano"):
        create_backbone("internimage_nano", True)


def test_a_head_of_other_classes_is_no_reason_to_refuse(tmp_path):
    donor = timm.create_model("resnet10t", num_classes=7)
    save_file(donor.state_dict(), tmp_path / "weights.safetensors")
    model = create_backbone("resnet10t", str(tmp_path / "weights.safetensors"), num_classes=14)
    assert torch.equal(model.conv1[0].weight, donor.conv1[0].weight)
    assert model.fc.out_features == 14


@pytest.mark.parametrize("name", ["resnet10t", "convnext_atto", "test_vit", "swin_tiny_patch4_window7_224"])
def test_an_averaged_stem_answers_a_grey_film_as_three_channels_do(tmp_path, name):
    arguments = {} if name in ("resnet10t", "convnext_atto") else {"img_size": 64}
    donor = timm.create_model(name, **arguments).eval()
    save_file(donor.state_dict(), tmp_path / "weights.safetensors")
    kinds = ("repeat", "average")
    three, one = (
        FeatureMap(name, str(tmp_path / "weights.safetensors"), 32, 64, grey).eval() for grey in kinds
    )
    stems = [next(p for p in part.body.modules() if isinstance(p, torch.nn.Conv2d)) for part in (three, one)]
    assert stems[1].weight.shape[1] == 1
    torch.testing.assert_close(stems[1].weight, stems[0].weight.mean(1, keepdim=True))
    films = torch.randn(1, 1, 64, 64).expand(-1, 3, -1, -1)
    with torch.no_grad():
        maps = [three.body(films), one.body(3 * films[:, :1]), one.body(films.sum(1, keepdim=True))]
        for first, second, third in zip(*maps, strict=True):
            torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-3)
            torch.testing.assert_close(second, third, atol=1e-4, rtol=1e-3)
        assert one(films).shape == one(films[:, :1]).shape


def test_an_averaged_stem_from_random_weights_is_drawn_as_any_other():
    stem = FeatureMap("resnet10t", False, 32, 64, "average").body.conv1[0].weight
    plain = create_backbone("resnet10t", False, in_chans=1).conv1[0].weight
    assert stem.std().item() == pytest.approx(plain.std().item(), rel=0.2)


def test_a_file_for_a_network_with_two_heads_loads(tmp_path):
    name = "deit_tiny_distilled_patch16_224"
    state = timm.create_model(name).state_dict()
    torch.save(state, tmp_path / "deit.pth")
    model = create_backbone(name, str(tmp_path / "deit.pth"), num_classes=14)
    assert torch.equal(model.state_dict()["blocks.3.mlp.fc1.weight"], state["blocks.3.mlp.fc1.weight"])
    assert model.head.weight.shape[0] == 14
