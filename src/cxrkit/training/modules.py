"""A network with its losses as one module: batch in, loss and its parts out."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from cxrkit.data.batches.transforms import prepare_images, transform_boxes
from cxrkit.models.classifier import CXRClassifier
from cxrkit.models.label_policies import label_loss
from cxrkit.models.losses import (
    LossWeights,
    answer_losses,
    chexpert_loss,
    grounding_loss,
    scene_graph_losses,
)
from cxrkit.models.nodes import DataSetGraph
from cxrkit.models.outputs import Answers, EncodedImages, EncodedQuestions
from cxrkit.models.vqa import SSGVQAModel
from cxrkit.training.source_mixing import SourceMixing


class VQAModule(nn.Module):
    """SSG-VQA-Net with its multi-task loss.

    Args:
        network: the model.
        weights: weights of the parts of the loss.
        blank_is_negative: what a blank CheXpert label counts as.
        mixing: graph sources in training; None keeps the model's own for every film.
    """

    def __init__(
        self,
        network: SSGVQAModel,
        weights: LossWeights,
        *,
        blank_is_negative: bool,
        mixing: SourceMixing | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.weights = weights
        self.blank_is_negative = blank_is_negative
        self.mixing = mixing or SourceMixing()

    def run(self, batch: Mapping[str, Tensor]) -> tuple[EncodedImages, Answers, Tensor]:
        """Runs the network on a batch; gives films, answers and the data set's moved boxes `[B, 26, 4]`."""
        config = self.network.config
        images = prepare_images(
            batch["images"],
            batch["transform"],
            config.image_size,
            list(config.image_mean),
            list(config.image_std),
            batch.get("image_side"),
        )
        boxes = transform_boxes(batch["node_boxes"], batch["transform"])
        films = self.network.encode_image(
            images,
            source=self._sources(len(images)),
            given=DataSetGraph(boxes, batch["node_findings"], batch["graph_valid"]),
        )
        questions: EncodedQuestions = self.network.questions(batch["input_ids"], batch["attention_mask"])
        asked = questions.rows(batch["text_of_question"])
        return films, self.network.answer(films, asked, batch["image_of_question"]), boxes

    def _sources(self, films: int) -> str | list[str]:
        own = self.network.config.scene_graph_source
        return self.mixing.sources(own, films) if self.training else own

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Any]:
        """Gives `loss`, its parts by name, and the answers."""
        films, answers, boxes = self.run(batch)
        parts = answer_losses(answers, batch)
        loss = self.weights.vqa * torch.stack(list(parts.values())).sum()
        parts["chexpert"] = chexpert_loss(
            films.chexpert_logits, batch["chexpert"], blank_is_negative=self.blank_is_negative
        )
        loss = loss + self.weights.chexpert * parts["chexpert"]
        exists = films.node_mask[batch["image_of_question"]]
        parts["grounding"] = grounding_loss(
            answers.grounding, batch["node_target"], batch["node_valid"], exists
        )
        loss = loss + self.weights.grounding * parts["grounding"]
        if films.graph is not None:
            graph = scene_graph_losses(
                films.graph, boxes, batch["node_has_box"], batch["node_findings"], batch["graph_valid"]
            )
            parts |= graph
            loss = loss + self.weights.scene_graph * torch.stack(list(graph.values())).sum()
        return {"loss": loss, "parts": parts, "answers": answers}


class ClassifierModule(nn.Module):
    """The 14-label classifier with its loss under the label policy of its configuration.

    Args:
        network: the model.
        pos_weight: `[14]` weight of the positives of each finding in the loss; None for 1.
    """

    pos_weight: Tensor | None

    def __init__(self, network: CXRClassifier, pos_weight: Tensor | None = None) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("pos_weight", pos_weight, persistent=False)

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Any]:
        """Gives `loss`, `logits [B, 14]` and `target [B, 14]`, by which every policy is validated alike."""
        config = self.network.config
        images = prepare_images(
            batch["images"],
            batch["transform"],
            config.image_size,
            list(config.image_mean),
            list(config.image_std),
            batch.get("image_side"),
        )
        logits = self.network(images)
        loss = label_loss(logits, batch["chexpert"], config.label_policy, self.pos_weight)
        target = (batch["chexpert"] == 1).float()
        return {"loss": loss, "parts": {"labels": loss}, "logits": logits, "target": target}
