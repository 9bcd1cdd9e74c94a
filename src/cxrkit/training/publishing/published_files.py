"""The files that are published, by name; light, for the process that only sends them."""

from pathlib import Path

from cxrkit.errors import ArtifactError

UPLOAD_FOLDER = "hub_upload"
CARD_FILE = "README.md"
MODEL_FILES = ("config.json", "model.safetensors")
# Written by the model; named here so that this module stays light.
CALIBRATION_FILE = "calibration.json"
TOKENIZER = "tokenizer"
# The tokenizer's configuration is written anew, the others are taken as they are.
TOKENIZER_CONFIG = "tokenizer_config.json"
TOKENIZER_FILES = (
    "tokenizer.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "merges.txt",
)
METADATA_KEYS = ("cxrkit_version", "task", "index_fingerprint", "step", "weights", "validation_metrics")
PUBLISHED = frozenset({
    CARD_FILE, *MODEL_FILES, CALIBRATION_FILE, "training_metadata.json", "settings.json",
    *(f"{TOKENIZER}/{name}" for name in (*TOKENIZER_FILES, TOKENIZER_CONFIG)),
})  # fmt: skip


def require_published_files(folder: Path) -> None:
    """Returns when a folder holds a published model and nothing that is never published.

    Raises:
        ArtifactError: a file is missing or too much.
    """
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
    missing, strange = sorted({CARD_FILE, *MODEL_FILES} - found), sorted(found - PUBLISHED)
    if missing or strange:
        lists = {"missing": missing, "too much": strange}
        raise ArtifactError(
            f"{folder} is not a folder to publish",
            expected=f"what training writes into {UPLOAD_FOLDER}, and nothing else",
            found="; ".join(f"{word}: {', '.join(names[:5])}" for word, names in lists.items() if names),
            next_step=f"pass the folder of a run, or its {UPLOAD_FOLDER} as it was written",
        )
