"""Text encoders from local folders, in the layouts that BERT models have; never a silent random start."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForPreTraining, BertModel

from cxrkit.errors import WeightsError
from cxrkit.models import text
from cxrkit.models.text import load_text_encoder, load_tokenizer, text_encoder_from_config, train_tokenizer

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "is", "there", "edema", "?", "##s", "i", "e"]


def small_bert(**more):
    """The layers of BERT, thin."""
    shape = {
        "vocab_size": len(WORDS), "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 64, "max_position_embeddings": 40,
    }  # fmt: skip
    return BertConfig(**(shape | more))


@pytest.fixture
def clinical_bert(tmp_path):
    """A folder as Bio+ClinicalBERT is published: pre-training heads, `bert.` names, a vocab.txt."""
    torch.manual_seed(0)
    model = BertForPreTraining(small_bert())
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    return tmp_path, model


def test_the_published_layout_loads_by_path(clinical_bert):
    folder, donor = clinical_bert
    encoder = load_text_encoder(str(folder))
    own = encoder.state_dict()
    given = {name.removeprefix("bert."): value for name, value in donor.state_dict().items()}
    assert own
    assert all(torch.equal(value, given[name]) for name, value in own.items())
    assert not any(name.startswith("pooler") for name in own)
    tokenizer = load_tokenizer(str(folder))
    assert tokenizer.tokenize("Is there edema?") == ["is", "there", "edema", "?"]
    rebuilt = text_encoder_from_config(encoder.config.to_dict())
    assert {name: value.shape for name, value in rebuilt.state_dict().items()} == {
        name: value.shape for name, value in own.items()
    }


def test_a_half_precision_file_is_trained_in_single(tmp_path):
    BertModel(small_bert()).to(torch.float16).save_pretrained(tmp_path)
    assert load_text_encoder(str(tmp_path)).dtype == torch.float32


def test_an_encoder_without_some_layers_is_refused(tmp_path):
    BertModel(small_bert()).save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    weights = load_file(path)
    kept = {name: value for name, value in weights.items() if "layer.1." not in name}
    save_file(kept, path, metadata={"format": "pt"})
    with pytest.raises(WeightsError, match="do not fit") as caught:
        load_text_encoder(str(tmp_path))
    assert "16 are missing" in str(caught.value)
    assert "encoder.layer.1." in str(caught.value)


def test_weights_of_another_network_are_refused(tmp_path):
    BertModel(small_bert()).save_pretrained(tmp_path)
    save_file({"stem.weight": torch.zeros(3)}, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match="do not fit"):
        load_text_encoder(str(tmp_path))


def test_weights_of_another_width_are_refused(tmp_path):
    BertModel(small_bert(hidden_size=16)).save_pretrained(tmp_path)
    small_bert().save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match="cannot be loaded"):
        load_text_encoder(str(tmp_path))


@pytest.mark.parametrize("damage", ["empty", "cut", "no weights", "no config", "empty bin", "odd config"])
def test_damaged_folders_are_told(tmp_path, damage):
    BertModel(small_bert()).save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    if damage == "no config":
        (tmp_path / "config.json").unlink()
    elif damage == "odd config":
        (tmp_path / "config.json").write_text('{"model_type": "bert", "hidden_size": "wide"}')
    elif damage == "empty bin":
        path.unlink()
        (tmp_path / "pytorch_model.bin").write_bytes(b"")
    elif damage == "no weights":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "empty" else path.read_bytes()[:3000])
    with pytest.raises(WeightsError) as caught:
        load_text_encoder(str(tmp_path))
    assert str(tmp_path) in str(caught.value)
    assert "model.text_encoder=" in str(caught.value)


def test_a_hub_name_without_hub_names_the_ways_out(monkeypatch, tmp_path):
    monkeypatch.setattr(text, "is_only_local", lambda name: True)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    for load in (load_text_encoder, load_tokenizer):
        with pytest.raises(WeightsError) as caught:
            load("emilyalsentzer/Bio_ClinicalBERT_of_nobody")
        told = str(caught.value)
        assert "Bio_ClinicalBERT_of_nobody" in told
        assert "/path/to/folder" in told
        assert "HF_HUB_OFFLINE" in told
        assert "scratch:" in told


def test_a_folder_without_tokenizer_is_told(tmp_path):
    BertModel(small_bert()).save_pretrained(tmp_path)
    with pytest.raises(WeightsError):
        load_tokenizer(str(tmp_path))


def test_a_trained_tokenizer_is_the_same_each_time(tmp_path):
    texts = [f"Is there edema in region {number}?" for number in range(30)]
    first, second = (train_tokenizer(texts, 60) for _ in range(2))
    assert first.get_vocab() == second.get_vocab()
    first.save_pretrained(tmp_path)
    assert load_tokenizer(str(tmp_path)).encode(texts[0]) == first.encode(texts[0])
    shutil.rmtree(tmp_path)
