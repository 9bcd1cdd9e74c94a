"""The opened synthetic workspace for the tests of batches."""

import pytest
import torch

from cxrkit.config import load_settings
from cxrkit.data.films.opener import open_films
from cxrkit.data.index import Index


@pytest.fixture(scope="session")
def index(workspace):
    return Index.open(workspace)


@pytest.fixture(scope="session")
def store(workspace):
    return open_films(workspace)


@pytest.fixture(scope="session")
def settings():
    chosen = {"data.quality_grade": "B", "data.questions_per_image": 5, "data.question_sampling": "balanced"}
    return load_settings(None, "vqa", chosen).data


def tokenize(texts):
    ids = torch.tensor([[len(text), 1] for text in texts])
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


@pytest.fixture(scope="session", name="tokenize")
def tokenize_fixture():
    return tokenize
