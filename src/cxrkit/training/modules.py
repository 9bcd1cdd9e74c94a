"""A network with its losses as one module: batch in, loss and its parts out."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from cxrkit.data.batches.transforms import prepare_images, transform_boxes
from cxrkit.models.classifier import CXRClassifier
from cxrkit.models.label_policies import label_loss, targets_of_labels
from cxrkit.models.loss_parts import means
from cxrkit.models.losses import (
    LossWeights,
    answer_losses,
    chexpert_loss,
    grounding_loss,
    scene_graph_losses,
    target_counts,
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

    def counts(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Gives the number of targets of each part of the loss in a batch."""
        return target_counts(batch, blank_is_negative=self.blank_is_negative)

    def forward(
        self, batch: Mapping[str, Tensor], counts: Mapping[str, Tensor] | None = None
    ) -> dict[str, Any]:
        """Gives `loss`, its parts by name, and the answers.

        Args:
            batch: films and questions.
            counts: the targets of each part in the whole update, of which the batch may be a share; None =
                those of the batch.
        """
        films, answers, boxes = self.run(batch)
        parts = answer_losses(answers, batch)
        parts["chexpert"] = chexpert_loss(
            films.chexpert_logits, batch["chexpert"], blank_is_negative=self.blank_is_negative
        )
        exists = films.node_mask[batch["image_of_question"]]
        parts["grounding"] = grounding_loss(
            answers.grounding, batch["node_target"], batch["node_valid"], exists
        )
        if films.graph is not None:
            parts |= scene_graph_losses(
                films.graph, boxes, batch["node_has_box"], batch["node_findings"], batch["graph_valid"]
            )
        named = means(parts, counts)
        loss = torch.stack([self.weights.of(name) * part for name, part in named.items()]).sum()
        return {"loss": loss, "parts": named, "answers": answers}


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

    def counts(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Gives the number of labels in a batch that count."""
        _, counted = targets_of_labels(batch["chexpert"], self.network.config.label_policy)
        return {"labels": counted.sum()}

    def forward(
        self, batch: Mapping[str, Tensor], counts: Mapping[str, Tensor] | None = None
    ) -> dict[str, Any]:
        """Gives `loss`, `logits [B, 14]` and `target [B, 14]`, by which every policy is validated alike.

        Args:
            batch: films.
            counts: the labels that count in the whole update; None = in the batch.
        """
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
        part = label_loss(logits, batch["chexpert"], config.label_policy, self.pos_weight)
        parts = means({"labels": part}, counts)
        target = (batch["chexpert"] == 1).float()
        return {"loss": parts["labels"], "parts": parts, "logits": logits, "target": target}
