"""DeepSpeed's own configuration, completed from the settings."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cxrkit.config import DeepspeedSettings
from cxrkit.errors import SettingsError

WHOLE_MODEL_STAGE = 2  # the highest ZeRO stage that leaves each process a whole model
BUCKET_SIZE = 200_000_000  # gradients summed at a time, as in configs/deepspeed_config.json
DEFAULT_PATH = Path("configs/deepspeed_config.json")
DEFAULT: dict[str, Any] = {
    "train_batch_size": "auto",
    "train_micro_batch_size_per_gpu": "auto",
    "gradient_accumulation_steps": "auto",
    "gradient_clipping": "auto",
    "bf16": {"enabled": "auto"},
    "fp16": {"enabled": "auto"},
    "zero_optimization": {
        "stage": 2,
        "overlap_comm": True,
        "contiguous_gradients": True,
        "reduce_bucket_size": BUCKET_SIZE,
        "allgather_bucket_size": BUCKET_SIZE,
    },
}
SIZES = ("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps")
_DTYPES = {"bf16": "bfloat16", "fp16": "float16"}


def deepspeed_configuration(
    settings: DeepspeedSettings, precision: str, sizes: Mapping[str, float]
) -> dict[str, Any]:
    """Reads `config_path` and puts the stage and the arithmetic into it; the engine fills in other `auto`s.

    Half precision is PyTorch's autocast, as without DeepSpeed. Its own bf16 and fp16 would turn the weights
    themselves into half precision, and every batch too, boxes included.

    Args:
        settings: the section `deepspeed`.
        precision: bf16, fp16 or fp32.
        sizes: what the training settings make of DeepSpeed's own keys, such as its batch sizes.

    Raises:
        SettingsError: the file is missing or no JSON object, it names other sizes than the training settings,
            or the stage divides the weights themselves.
    """
    content, zero = _read(settings)
    mistakes = [
        f"deepspeed.config_path: {settings.config_path} says {key} {content[key]}, "
        f'expected "auto" or {value:g}, as the training settings say'
        for key, value in sizes.items()
        if content.get(key, "auto") not in ("auto", value)
    ]
    if mistakes:
        raise SettingsError("deepspeed", mistakes)
    if settings.stage > WHOLE_MODEL_STAGE:
        mistake = (
            f"deepspeed.stage: found {settings.stage}, expected at most {WHOLE_MODEL_STAGE}: "
            "above, no process holds a whole model to save"
        )
        raise SettingsError("deepspeed", [mistake])
    zero["stage"] = settings.stage
    # The engine fills this one from a language model's hidden size, which ours do not have.
    if zero.get("reduce_bucket_size") == "auto":
        zero["reduce_bucket_size"] = BUCKET_SIZE
    return content | {"zero_optimization": zero} | _arithmetic(precision)


def configuration_digest(settings: DeepspeedSettings) -> str:
    """Gives a name for what a configuration says, of which only batch sizes may change within a run.

    Raises:
        SettingsError: the file is missing or no JSON object.
    """
    content = {key: value for key, value in _read(settings)[0].items() if key not in SIZES}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def _read(settings: DeepspeedSettings) -> tuple[dict[str, Any], dict[str, Any]]:
    path = settings.config_path
    if path == DEFAULT_PATH and not path.exists():
        # Outside the project's folder its file is not there, and nobody asked for another.
        return DEFAULT, dict(DEFAULT["zero_optimization"])
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        mistake = (
            f"deepspeed.config_path: {path} cannot be read ({error}); deepspeed.enabled=false does without"
        )
        raise SettingsError("deepspeed", [mistake]) from error
    zero = content.get("zero_optimization", {}) if isinstance(content, dict) else None
    if not isinstance(zero, dict):
        raise SettingsError("deepspeed", [f"deepspeed.config_path: {path} is no DeepSpeed configuration"])
    return content, dict(zero)


def _arithmetic(precision: str) -> dict[str, Any]:
    arithmetic: dict[str, Any] = {"bf16": {"enabled": False}, "fp16": {"enabled": False}}
    if precision in _DTYPES:
        # No layer's gradients are summed in half precision.
        arithmetic["torch_autocast"] = {
            "enabled": True,
            "dtype": _DTYPES[precision],
            "lower_precision_safe_modules": [],
        }
    return arithmetic
