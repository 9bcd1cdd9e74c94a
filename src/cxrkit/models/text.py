"""Text encoders: any BERT-like hub name or local folder, or a small one trained from scratch."""

import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

from cxrkit.errors import SettingsError, WeightsError
from cxrkit.models.hub import is_only_local
from cxrkit.models.names import NameMatcher, directions
from cxrkit.models.outputs import EncodedQuestions

# What the library raises when weights are out of reach, damaged, or of other shapes.
LOADING_ERRORS = (
    OSError,
    ValueError,
    RuntimeError,
    LookupError,
    TypeError,
    AttributeError,
    ImportError,
    EOFError,
    pickle.UnpicklingError,
    SafetensorError,
    StrictDataclassError,
)
UNUSED_PART = "pooler."
SCRATCH = "scratch:"
SCRATCH_SIZES: dict[str, dict[str, int]] = {
    "tiny": {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 256},
    "small": {
        "hidden_size": 256,
        "num_hidden_layers": 4,
        "num_attention_heads": 8,
        "intermediate_size": 1024,
    },
    "base": {
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
    },
}
SPECIAL_TOKENS = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}


def train_tokenizer(texts: Iterable[str], vocabulary_size: int = 8000) -> PreTrainedTokenizerFast:
    """Trains a lower-case byte-pair tokenizer; the same texts give the same tokenizer.

    WordPiece would be the habit beside BERT, but its trainer numbers the pieces in the order of a hash map,
    which changes from run to run.

    Args:
        texts: the training questions, each once.
        vocabulary_size: upper limit of the number of pieces.
    """
    tokenizer = Tokenizer(models.BPE(unk_token=SPECIAL_TOKENS["unk_token"]))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size, special_tokens=list(SPECIAL_TOKENS.values()), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    first, last = ((token, tokenizer.token_to_id(token) or 0) for token in ("[CLS]", "[SEP]"))
    tokenizer.post_processor = processors.BertProcessing(last, first)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **SPECIAL_TOKENS)


def load_tokenizer(name: str) -> PreTrainedTokenizerFast:
    """Loads the tokenizer of a hub name or a local folder.

    Raises:
        WeightsError: it cannot be had.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, local_files_only=is_only_local(name))
    except LOADING_ERRORS as error:
        raise _unavailable(name, error) from error
    # A folder without a vocabulary gives a tokenizer that knows its special pieces only.
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise _unavailable(name, ValueError("there is no vocabulary (vocab.txt or tokenizer.json)"))
    return cast("PreTrainedTokenizerFast", tokenizer)


def scratch_text_config(name: str, vocabulary_size: int, max_length: int) -> dict[str, Any]:
    """Gives the configuration of a `scratch:tiny|small|base` encoder.

    Raises:
        SettingsError: there is no preset of that name.
    """
    size = name.removeprefix(SCRATCH)
    if size not in SCRATCH_SIZES:
        known = ", ".join(SCRATCH + known for known in SCRATCH_SIZES)
        raise SettingsError(
            "model.text_encoder", [f"model.text_encoder: {name!r} is unknown; expected one of {known}"]
        )
    return {
        "model_type": "bert",
        "vocab_size": vocabulary_size,
        "max_position_embeddings": max_length,
        "pad_token_id": 0,
        **SCRATCH_SIZES[size],
    }


def load_text_encoder(name: str) -> PreTrainedModel:
    """Loads an encoder with its pretrained weights, in fp32, from a hub name or a local folder.

    Raises:
        WeightsError: the weights cannot be had, or do not fill the encoder; never a silent random start.
    """
    try:
        model, loading = AutoModel.from_pretrained(
            name, local_files_only=is_only_local(name), output_loading_info=True, dtype=torch.float32
        )
    except LOADING_ERRORS as error:
        raise _unavailable(name, error) from error
    # A file of other shapes is refused by the library itself; of other names, it only warns.
    missing = sorted(key for key in loading["missing_keys"] if not key.startswith(UNUSED_PART))
    if missing:
        raise WeightsError(
            f"the weights of the text encoder {name} do not fit",
            expected=f"the {len(model.state_dict())} weights of the {model.config.model_type} model that its "
            "config.json describes",
            found=f"{len(missing)} are missing: {', '.join(missing[:4])}{' ...' if len(missing) > 4 else ''}",
            next_step="pass the folder of a whole model: config.json, weights and tokenizer of one encoder",
        )
    return _without_pooler(cast("PreTrainedModel", model))


def text_encoder_from_config(text_config: dict[str, Any]) -> PreTrainedModel:
    """Builds an encoder of a given configuration with random weights."""
    values = dict(text_config)
    config = AutoConfig.for_model(values.pop("model_type"), **values)
    return _without_pooler(AutoModel.from_config(config))


def _without_pooler(model: PreTrainedModel) -> PreTrainedModel:
    """Takes the pooler away: it is not read here, and weights without gradient trouble parallel training."""
    if isinstance(getattr(model, "pooler", None), nn.Module):
        model.pooler = None  # type: ignore[assignment]
    return model


def _unavailable(name: str, error: Exception) -> WeightsError:
    reason = str(error).strip().splitlines()
    return WeightsError(
        f"the text encoder {name} cannot be loaded",
        expected="a connection to the model hub, a filled cache (HF_HUB_OFFLINE=1), or a local folder",
        found=f"{type(error).__name__}: {reason[0] if reason else 'no reason given'}"
        + ("" if Path(name).exists() else " (there is no local folder of this name)"),
        next_step="--set model.text_encoder=/path/to/folder, or scratch:small for one trained from nothing",
    )


class QuestionEncoder(nn.Module):
    """Encodes question tokens in the network's width, and finds the names of entities and regions in them.

    Args:
        encoder: a BERT-like model.
        hidden_size: width of the network.
        entities: matcher of the finding entities.
        regions: matcher of the 26 regions.
    """

    def __init__(
        self, encoder: PreTrainedModel, hidden_size: int, entities: NameMatcher, regions: NameMatcher
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.entities = entities
        self.regions = regions
        width = int(encoder.config.hidden_size)
        self.project = nn.Identity() if width == hidden_size else nn.Linear(width, hidden_size)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> EncodedQuestions:
        """Encodes questions of `[U, T]` token ids and mask."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        words, entities, regions = directions(
            self.encoder.get_input_embeddings(), input_ids, self.entities.pieces, self.regions.pieces
        )
        return EncodedQuestions(
            words=self.project(states),
            mask=attention_mask.bool(),
            entity_scores=self.entities(words, entities, attention_mask),
            region_scores=self.regions(words, regions, attention_mask),
        )
