"""A small SSG-VQA-Net with random weights."""

from dataclasses import replace

import torch

from cxrkit.models.configuration import SSGVQAConfig
from cxrkit.models.text import scratch_text_config, train_tokenizer
from cxrkit.models.vqa import SSGVQAModel

ENTITIES = ("atelectasis", "cardiomegaly", "edema")
QUESTIONS = (
    "Is there edema?", "Where is the atelectasis?", "Does the left lung look normal?",
    "Is the heart enlarged, and how far, on this film?",
)  # fmt: skip


def small_config() -> SSGVQAConfig:
    return SSGVQAConfig(
        visual_backbone="resnet10t",
        text_encoder="scratch:tiny",
        text_config=scratch_text_config("scratch:tiny", vocabulary_size=120, max_length=24),
        entities=ENTITIES,
        entity_name_shape=(3, 2),
        region_name_shape=(26, 3),
        image_size=64,
        image_mean=(0.5, 0.5, 0.5),
        image_std=(0.25, 0.25, 0.25),
        visual_feature_dim=32,
        region_embedding_dim=8,
        entity_embedding_dim=8,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        visual_patches=2,
    )


def build(config: SSGVQAConfig, **changes: object) -> SSGVQAModel:
    """Builds a network whose names, edges and reference boxes are filled, as training does from the data."""
    torch.manual_seed(0)
    model = SSGVQAModel(replace(config, **changes), tokenizer=train_tokenizer(QUESTIONS, 120)).eval()
    for matcher in (model.questions.entities, model.questions.regions):
        matcher.pieces.random_(4, 40)
        matcher.owner.copy_(torch.arange(len(matcher.owner)))
    for name, parameter in model.named_parameters():
        # Edge weights and parts of the reading start at zero, which would hide whether they do anything.
        if ".edges." in name or name.startswith("reading.part_of"):
            torch.nn.init.normal_(parameter)
    model.scene_graph.set_reference_boxes(torch.tensor([0.2, 0.3, 0.6, 0.8]).expand(26, 4))
    return model
