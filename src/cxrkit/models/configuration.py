"""What fixes a model's shape, saved beside its weights as `config.json`.

Both configurations are `transformers`-style; the modules that hold the models register them with
`AutoConfig` and `AutoModel`.
"""

import json
from dataclasses import field, fields
from pathlib import Path
from typing import Any, Self

from transformers import PreTrainedConfig

from cxrkit.errors import ArtifactError
from cxrkit.vocabulary import FINDINGS, REGIONS

CONFIG_FILE = "config.json"
BOX_VALUES = 6  # x1, y1, x2, y2, area and aspect ratio of a scene-graph node
# The shape of Bio+ClinicalBERT (Alsentzer et al. 2019): BERT-base, cased vocabulary.
CLINICAL_BERT: dict[str, Any] = {
    "model_type": "bert",
    "vocab_size": 28996,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
}


_SWITCHES = {
    "scene_graph_source": ("predicted", "anatomy", "oracle", "none"),
    "roi_source": ("roi", "global", "both"),
    "grey_input": ("repeat", "average"),
}


class ModelConfig(PreTrainedConfig):
    """Base of the two configurations: every key is known, every key is there, lists become tuples."""

    def __post_init__(self, **kwargs: Any) -> None:
        """Turns what JSON made lists into the tuples they were.

        Raises:
            TypeError: a keyword that neither this configuration nor its base knows.
        """
        unknown = sorted(set(kwargs) - _WRITTEN_BESIDES - _TAKEN_BY_THE_BASE)
        if unknown:
            raise TypeError(f"{type(self).__name__} has no {', '.join(unknown)}")
        for entry in fields(type(self)):
            value = getattr(self, entry.name)
            if isinstance(value, list) and entry.name in _own_fields(type(self)):
                setattr(self, entry.name, tuple(value))
        super().__post_init__(**kwargs)  # type: ignore[no-untyped-call]

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """Makes the configuration from the content of a `config.json`.

        Raises:
            ArtifactError: a key of this version is missing, or one is unknown: another version wrote it,
                and what a default would stand for is not what was trained.
        """
        own = _own_fields(cls)
        known = own | {entry.name for entry in fields(PreTrainedConfig)} | _WRITTEN_BESIDES
        missing, unknown = sorted(own - set(config_dict)), sorted(set(config_dict) - known)
        if missing or unknown:
            parts = [f"{word}: {', '.join(names)}" for word, names in
                     (("missing", missing), ("unknown", unknown)) if names]  # fmt: skip
            raise ArtifactError(
                f"{CONFIG_FILE} does not describe a {cls.__name__} of this version",
                expected="exactly the keys of this version",
                found="; ".join(parts),
                next_step="pass the best_model folder of a run made by this version",
            )
        return super().from_dict(config_dict, **kwargs)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads `config.json` of a local model folder.

        Raises:
            ArtifactError: the file is missing, of another model, or has other keys.
        """
        content = read_config(folder)
        if content.get("model_type") != cls.model_type:
            raise ArtifactError(
                f"{folder / CONFIG_FILE} does not describe a {cls.__name__}",
                expected=f"model_type {cls.model_type}",
                found=f"model_type {content.get('model_type')}",
                next_step="pass the best_model folder of a run of this task",
            )
        config: Self = cls.from_dict(content)
        return config


# What `save_pretrained` writes besides the fields of a configuration.
_TAKEN_BY_THE_BASE = {"name_or_path", "torch_dtype", "output_attentions", "num_labels", "_commit_hash"}
_WRITTEN_BESIDES = {"model_type", "transformers_version", "_name_or_path", "auto_map", "attn_implementation"}


def _own_fields(kind: type[PreTrainedConfig]) -> set[str]:
    return {entry.name for entry in fields(kind)} - {entry.name for entry in fields(PreTrainedConfig)}


def read_config(folder: Path) -> dict[str, Any]:
    """Reads a model folder's `config.json` as it is.

    Raises:
        ArtifactError: there is none, or it is not JSON.
    """
    path = folder / CONFIG_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ArtifactError(
            f"no model in {folder}",
            expected=f"{CONFIG_FILE} and model.safetensors",
            found="the folder does not exist" if not folder.is_dir() else f"no {CONFIG_FILE} in it",
            next_step="pass the best_model folder of a run, e.g. checkpoints/<run>/best_model",
        ) from error
    except (ValueError, OSError) as error:
        raise ArtifactError(f"{path} is not JSON", found=str(error), next_step="train again") from error
    if not isinstance(content, dict):
        raise ArtifactError(f"{path} is not a JSON object", found=type(content).__name__)
    return content


class SSGVQAConfig(ModelConfig):
    """Sizes and switches of SSG-VQA-Net; the defaults are those of the documented model.

    Attributes:
        visual_backbone: a timm name.
        text_encoder: hub name, folder or `scratch:*` preset that the text encoder started from.
        text_config: the text encoder's own configuration.
        entities: names of the finding entities, in the order of the scene graph's finding logits.
        entity_name_shape: number of entity names and pieces of the longest; region_name_shape likewise.
        image_mean: per channel, in units of the full range; image_std likewise.
        grey_input: `repeat` shows the backbone three equal channels, `average` gives it a stem of one
            channel, whose weights are the mean of the pretrained ones.
        visual_patches: side of the grid of visual tokens that enters the fusion.
        scene_graph_source: where the nodes come from: `predicted`, `anatomy`, `oracle` or `none`.
        trained_sources: the sources that training showed; the parts that others read were never trained.
        reads_film: False for a network without visual backbone, whose feature maps are zeros.
        roi_source: features of a node: pooled at its box (`roi`), of the whole film (`global`), or `both`.
        graph_edges: edges of the graph bias the attention among the nodes.
        graph_readings: entity sets with which a question reads the scene graph; 0 leaves this path out.
    """

    model_type = "ssg_vqa"

    visual_backbone: str = "convnext_base"
    text_encoder: str = "emilyalsentzer/Bio_ClinicalBERT"
    text_config: dict[str, Any] = field(default_factory=lambda: dict(CLINICAL_BERT))
    entities: tuple[str, ...] = tuple(name.lower() for name in FINDINGS)
    entity_name_shape: tuple[int, int] = (len(FINDINGS), 1)
    region_name_shape: tuple[int, int] = (len(REGIONS), 1)
    image_size: int = 224
    image_mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    image_std: tuple[float, ...] = (0.229, 0.224, 0.225)
    grey_input: str = "repeat"
    max_question_length: int = 128
    visual_feature_dim: int = 512
    region_embedding_dim: int = 64
    entity_embedding_dim: int = 64
    hidden_size: int = 768
    intermediate_size: int = 3072
    num_hidden_layers: int = 6
    num_attention_heads: int = 12
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    sim_layers: int = 2
    graph_edges: bool = True
    graph_readings: int = 8
    visual_patches: int = 7
    scene_graph_source: str = "predicted"
    trained_sources: tuple[str, ...] = ("predicted",)
    roi_source: str = "roi"
    reads_film: bool = True

    def __post_init__(self, **kwargs: Any) -> None:
        """Checks the switches.

        Raises:
            ValueError: one has none of its values.
        """
        for name, values in _SWITCHES.items():
            if getattr(self, name) not in values:
                raise ValueError(f"{name}: {getattr(self, name)!r} is none of {', '.join(values)}")
        super().__post_init__(**kwargs)

    @property
    def scene_graph_dim(self) -> int:
        """Width of a node: box values, region embedding and entity embedding."""
        return BOX_VALUES + self.region_embedding_dim + self.entity_embedding_dim


class ClassifierConfig(ModelConfig):
    """Shape of the 14-label classifier."""

    model_type = "cxr_classifier"

    visual_backbone: str = "convnext_base"
    image_size: int = 224
    image_mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    image_std: tuple[float, ...] = (0.229, 0.224, 0.225)
    drop_rate: float = 0.0
    drop_path_rate: float = 0.0
    label_policy: str = "zeros"
