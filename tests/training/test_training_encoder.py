"""A text encoder that could not read the questions is refused before training."""

import pytest
from transformers import BertConfig, T5Config

from cxrkit.errors import WeightsError
from cxrkit.models.text import train_tokenizer
from cxrkit.training.vqa import _require_fitting_encoder

TOKENIZER = train_tokenizer(["Is there edema?"], 60)


def require(config, tokenizer=TOKENIZER, longest=24):
    _require_fitting_encoder("folder", config.to_dict(), tokenizer, longest)


def test_a_fitting_encoder_is_taken():
    require(BertConfig(vocab_size=len(TOKENIZER), max_position_embeddings=24))


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (BertConfig(vocab_size=5), "5 embeddings"),
        (BertConfig(max_position_embeddings=20), "20 positions"),
        (T5Config(), "an encoder-decoder"),
    ],
)
def test_what_does_not_fit_is_named(config, told):
    with pytest.raises(WeightsError, match="cannot read the questions") as caught:
        require(config)
    assert told in str(caught.value)


def test_a_tokenizer_without_padding_is_named():
    bare = train_tokenizer(["Is there edema?"], 60)
    bare.pad_token = None
    with pytest.raises(WeightsError, match="padding token"):
        require(BertConfig(), bare)
