"""Sizes of the demo: small enough for minutes on two CPU cores, large enough to learn from the film."""

from pathlib import Path

from cxrkit.config import ClassifySettings, VQASettings, load_settings

PATIENTS = 500
IMAGE_SIZE = 160
# Stored larger than the input: films decoded straight to the input size lose the thin lines of devices.
STORE_SIZE = 160
INPUT_SIZE = 96
BACKBONE = "resnet10t"
BATCH_SIZE = 16
MOST_EPOCHS = 12

_DATA: dict[str, object] = {
    "image_size": INPUT_SIZE,
    "image_store_size": STORE_SIZE,
    "quality_grade": "B",
    "questions_per_image": 8,
    "question_sampling": "balanced",
    "augment": False,
}
_TRAINING: dict[str, object] = {
    "gradient_accumulation_steps": 1,
    "lr_scheduler_type": "linear",
    "warmup_ratio": 0.05,
    "gradient_checkpointing": False,
    "dataloader_num_workers": 0,
    "dataloader_pin_memory": False,
    "logging_steps": 10,
    "early_stopping_patience": 0,
    "save_total_limit": 1,
}
_VQA_MODEL: dict[str, object] = {
    "visual_backbone": BACKBONE,
    "text_encoder": "scratch:tiny",
    "visual_feature_dim": 128,
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "sim_layers": 1,
    "visual_patches": 4,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "max_question_length": 64,
}


def vqa_settings(
    output_dir: Path, paths: dict[str, object], seed: int, studies: int, classifier: Path
) -> VQASettings:
    """Gives the settings of the demo's VQA model, whose backbone goes on from the classifier's.

    Args:
        output_dir: the run's folder.
        paths: the data section's paths.
        seed: of everything random.
        studies: number of training studies; a small set is not gone through more often than a few times.
        classifier: `best_model` of the demo's classifier.
    """
    training = _TRAINING | {
        "output_dir": output_dir,
        "batch_size_per_gpu": BATCH_SIZE,
        "learning_rate": 2.5e-3,
        "max_steps": _steps(280, studies),
        "chexpert_loss_weight": 1.0,
        "chexpert_blank": "negative",
        "metric_for_best_model": "binary_balanced_accuracy",
        "seed": seed,
    }
    model = _VQA_MODEL | {"pretrained": str(classifier)}
    return load_settings(None, "vqa", _flat(model=model, data=_DATA | paths, training=training))


def classifier_settings(
    output_dir: Path, paths: dict[str, object], seed: int, studies: int
) -> ClassifySettings:
    """Gives the settings of the demo's classifier, from random weights; arguments as for `vqa_settings`."""
    training = _TRAINING | {
        "output_dir": output_dir,
        "batch_size_per_gpu": BATCH_SIZE,
        "learning_rate": 4e-3,
        "max_steps": _steps(400, studies),
        "seed": seed,
    }
    model: dict[str, object] = {"visual_backbone": BACKBONE, "pretrained": False, "drop_path_rate": 0.0}
    return load_settings(None, "classify", _flat(model=model, data=_DATA | paths, training=training))


def _steps(enough: int, studies: int) -> int:
    """Gives the number of updates: `enough`, or `MOST_EPOCHS` passes over a smaller set of studies."""
    return max(1, min(enough, MOST_EPOCHS * studies // BATCH_SIZE))


def _flat(**sections: dict[str, object]) -> dict[str, object]:
    keys = {f"{name}.{key}": value for name, section in sections.items() for key, value in section.items()}
    return keys | {"wandb.enabled": False, "deepspeed.enabled": False}
