"""The sizes of InternImage, registered with timm under `internimage_t`, `_s`, `_b`, `_l`, `_xl`, `_nano`."""

from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model

from cxrkit.models.internimage.network import InternImage, checkpoint_filter_fn

_POST_NORM: dict[str, Any] = {"layer_scale": 1e-5, "post_norm": True}

PRESETS: dict[str, dict[str, Any]] = {
    "internimage_t": {
        "channels": 64, "depths": (4, 4, 18, 4), "groups": (4, 8, 16, 32), "drop_path_rate": 0.1,
    },
    "internimage_s": {
        "channels": 80, "depths": (4, 4, 21, 4), "groups": (5, 10, 20, 40), "drop_path_rate": 0.4,
        **_POST_NORM,
    },
    "internimage_b": {
        "channels": 112, "depths": (4, 4, 21, 4), "groups": (7, 14, 28, 56), "drop_path_rate": 0.5,
        **_POST_NORM,
    },
    "internimage_l": {
        "channels": 160, "depths": (5, 5, 22, 5), "groups": (10, 20, 40, 80), "drop_path_rate": 0.1,
        "offset_scale": 2.0, **_POST_NORM,
    },
    "internimage_xl": {
        "channels": 192, "depths": (5, 5, 24, 5), "groups": (12, 24, 48, 96), "drop_path_rate": 0.2,
        "offset_scale": 2.0, **_POST_NORM,
    },
    # Not published: for small data and for a CPU.
    "internimage_nano": {
        "channels": 32, "depths": (2, 2, 4, 2), "groups": (2, 4, 8, 16), "drop_path_rate": 0.0,
    },
}  # fmt: skip

_HUB = {
    "internimage_t": "internimage_t_1k_224",
    "internimage_s": "internimage_s_1k_224",
    "internimage_b": "internimage_b_1k_224",
    "internimage_l": "internimage_l_22kto1k_384",
    "internimage_xl": "internimage_xl_22kto1k_384",
}


def _published(name: str) -> dict[str, Any]:
    side = 384 if name in ("internimage_l", "internimage_xl") else 224
    # Without `classifier`: timm would drop a head of another size and leave an unscaled new one.
    content: dict[str, Any] = {
        "num_classes": 1000,
        "input_size": (3, side, side),
        "pool_size": (side // 32, side // 32),
        "crop_pct": 1.0 if side == 384 else 0.875,
        "interpolation": "bicubic",
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "first_conv": "patch_embed.conv1",
        "license": "mit",
    }
    return content | ({"hf_hub_id": f"OpenGVLab/{_HUB[name]}"} if name in _HUB else {})


default_cfgs = generate_default_cfgs({name: _published(name) for name in PRESETS})


def _create(name: str, pretrained: bool, arguments: dict[str, Any]) -> InternImage:
    model: InternImage = build_model_with_cfg(
        InternImage,
        name,
        pretrained,
        pretrained_filter_fn=checkpoint_filter_fn,
        feature_cfg={"out_indices": (0, 1, 2, 3), "feature_cls": "getter"},
        **(PRESETS[name] | arguments),
    )
    return model


@register_model
def internimage_t(pretrained: bool = False, **arguments: Any) -> InternImage:
    """Creates InternImage-T, 29 M weights with 14 classes."""
    return _create("internimage_t", pretrained, arguments)


@register_model
def internimage_s(pretrained: bool = False, **arguments: Any) -> InternImage:
    """Creates InternImage-S, 49 M weights with 14 classes."""
    return _create("internimage_s", pretrained, arguments)


@register_model
def internimage_b(pretrained: bool = False, **arguments: Any) -> InternImage:
    """Creates InternImage-B, 96 M weights with 14 classes."""
    return _create("internimage_b", pretrained, arguments)


@register_model
def internimage_l(pretrained: bool = False, **arguments: Any) -> InternImage:
    """Creates InternImage-L, 221 M weights with 14 classes."""
    return _create("internimage_l", pretrained, arguments)


@register_model
def internimage_xl(pretrained: bool = False, **arguments: Any) -> InternImage:
    """Creates InternImage-XL, 333 M weights with 14 classes."""
    return _create("internimage_xl", pretrained, arguments)


@register_model
def internimage_nano(pretrained: bool = False, **arguments: Any) -> InternImage:
    """Creates a small InternImage for small data and for a CPU; there are no published weights."""
    return _create("internimage_nano", pretrained, arguments)
