"""A small SSG-VQA-Net with random weights, and two films."""

import pytest
import torch
from small_network import build, small_config

from cxrkit.models.configuration import SSGVQAConfig
from cxrkit.models.vqa import SSGVQAModel


@pytest.fixture
def config() -> SSGVQAConfig:
    return small_config()


@pytest.fixture
def model(config: SSGVQAConfig) -> SSGVQAModel:
    return build(config)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(5))
