"""Questions to token ids, padded to the longest question among them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

_NAMES = ("input_ids", "attention_mask")


class QuestionTokenizer:
    """Tokenizes questions.

    Args:
        tokenizer: a Hugging Face tokenizer.
        max_length: upper limit in tokens; longer questions are cut.
    """

    def __init__(self, tokenizer: Any, max_length: int) -> None:
        self.tokenizer = tokenizer
        self.max_length = max_length

    def __call__(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Gives `input_ids` and `attention_mask`, both `[U, T]`."""
        encoded = self.tokenizer(list(texts), padding="longest", truncation=True, max_length=self.max_length)
        # The tokenizer's own way to tensors walks through every number in Python.
        return {name: torch.from_numpy(np.array(encoded[name], dtype=np.int64)) for name in _NAMES}
