"""What fixes a model's shape, saved beside its weights."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from cxrkit.errors import ArtifactError

CONFIG_FILE = "config.json"


@dataclass(frozen=True)
class ModelConfig:
    """Base of the two model configurations: plain values, written as JSON."""

    def save(self, folder: Path) -> None:
        """Writes `config.json` into a folder, with the kind of model it is for."""
        content = {"model_type": type(self).__name__, **asdict(self)}
        (folder / CONFIG_FILE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads `config.json`.

        Raises:
            ArtifactError: the file is missing, of another model, or has other keys.
        """
        content = read_config(folder)
        kind = content.pop("model_type", None)
        known = {field.name for field in fields(cls)}
        if kind != cls.__name__:
            raise _does_not_describe(folder, cls.__name__, f"model_type {cls.__name__}", f"model_type {kind}")
        if set(content) != known:
            missing, unknown = sorted(known - set(content)), sorted(set(content) - known)
            raise _does_not_describe(
                folder,
                cls.__name__,
                "the keys of this version" + (f", {', '.join(missing)} among them" if missing else ""),
                f"unknown: {', '.join(unknown)}" if unknown else f"missing: {', '.join(missing)}",
            )
        return cls(
            **{name: tuple(value) if isinstance(value, list) else value for name, value in content.items()}
        )


def _does_not_describe(folder: Path, kind: str, expected: str, found: str) -> ArtifactError:
    return ArtifactError(
        f"{folder / CONFIG_FILE} does not describe a {kind}",
        expected=expected,
        found=found,
        next_step="pass the best_model folder of a run made by this version",
    )


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
    except json.JSONDecodeError as error:
        raise ArtifactError(f"{path} is not JSON", found=str(error), next_step="train again") from error
    if not isinstance(content, dict):
        raise ArtifactError(f"{path} is not a JSON object", found=type(content).__name__)
    return content


@dataclass(frozen=True)
class SSGVQAConfig(ModelConfig):
    """Sizes and switches of SSG-VQA-Net.

    Attributes:
        entities: names of the finding entities, in the order of the scene graph's finding logits.
        entity_name_shape: number of entity names and pieces of the longest; region_name_shape likewise.
        text_config: the text encoder's own configuration.
        image_mean: per channel, in units of the full range; image_std likewise.
        graph_readings: entity sets with which a question reads the scene graph; 0 leaves this path out.
        visual_patches: side of the grid of visual tokens that enters the fusion.
    """

    visual_backbone: str
    text_encoder: str
    text_config: dict[str, Any]
    entities: tuple[str, ...]
    entity_name_shape: tuple[int, int]
    region_name_shape: tuple[int, int]
    image_size: int
    image_mean: tuple[float, ...]
    image_std: tuple[float, ...]
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
    graph_readings: int = 8
    visual_patches: int = 7
    scene_graph_source: str = "predicted"
    roi_source: str = "roi"


@dataclass(frozen=True)
class ClassifierConfig(ModelConfig):
    """Shape of the 14-label classifier."""

    visual_backbone: str
    image_size: int
    image_mean: tuple[float, ...]
    image_std: tuple[float, ...]
    drop_rate: float = 0.0
    drop_path_rate: float = 0.0
    label_policy: str = "zeros"
