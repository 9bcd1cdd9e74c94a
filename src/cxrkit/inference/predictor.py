"""A loaded model that answers questions about films."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cxrkit.data.batches.transforms import prepare_images
from cxrkit.hardware import choose_device, detect_hardware
from cxrkit.models.nodes import DataSetGraph
from cxrkit.models.outputs import Answers, EncodedImages, EncodedQuestions
from cxrkit.models.vqa import SSGVQAModel
from cxrkit.vocabulary import ANSWER_HEADS, MULTI_LABEL_HEADS

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class AnswerArrays:
    """Answers to N questions as arrays.

    Attributes:
        probabilities: per head code (order of `ANSWER_HEADS`) `[N, C]`.
        node_scores: `[N, R]` probability that a node supports the answer.
        attention: `[N, P]` over the visual tokens, or None.
        node_attention: `[N, R]` over the nodes, or None.
    """

    probabilities: tuple[FloatArray, ...]
    node_scores: FloatArray
    attention: FloatArray | None = None
    node_attention: FloatArray | None = None


class Predictor:
    """Answers questions with a saved model.

    Args:
        folder: a `best_model` folder of a VQA run.

    Raises:
        ArtifactError: the folder holds no such model, or its weights do not fit.
    """

    def __init__(self, folder: Path) -> None:
        self.device = torch.device(choose_device(detect_hardware()).name)
        self.model = SSGVQAModel.from_pretrained(folder)
        torch.nn.Module.to(self.model, self.device)

    @torch.no_grad()
    def features(self, images: Tensor, sides: Tensor | None = None) -> Tensor:
        """Gives the feature maps `[B, C, h, w]` of stored films, once for all graph sources.

        Args:
            images: `[B, S, S]` uint8.
            sides: `[B]` side of each film's own square; None where all fill `images`.
        """
        config = self.model.config
        still = torch.zeros(len(images), 6, device=self.device)
        prepared = prepare_images(
            images.to(self.device),
            still,
            config.image_size,
            list(config.image_mean),
            list(config.image_std),
            None if sides is None else sides.to(self.device),
        )
        features: Tensor = self.model.visual(prepared)
        return features

    @torch.no_grad()
    def encode(
        self, features: Tensor, source: str | None = None, given: DataSetGraph | None = None
    ) -> EncodedImages:
        """Encodes films once for all their questions.

        Args:
            features: from `features`.
            source: where the scene graph comes from; None takes the model's own source.
            given: the data set's graph; needed by `anatomy` and `oracle`, and never passed for another.
        """
        moved = None if given is None else given.to(self.device)
        return self.model.encode_features(features, source=source, given=moved)

    @torch.no_grad()
    def read(self, questions: Sequence[str]) -> EncodedQuestions:
        """Encodes N texts, equal ones once."""
        return self.model.encode_questions(questions)

    @torch.no_grad()
    def answer(
        self,
        encoded: EncodedImages,
        image_of_question: Tensor,
        questions: EncodedQuestions,
        *,
        with_attention: bool = False,
    ) -> AnswerArrays:
        """Answers questions.

        Args:
            encoded: from `encode`.
            image_of_question: `[N]` which film each question is about.
            questions: from `read`.
            with_attention: also give the attention over visual tokens and nodes.
        """
        answers = self.model.answer(
            encoded, questions, image_of_question.to(self.device), with_attention=with_attention
        )
        return _as_arrays(answers)


def _as_arrays(answers: Answers) -> AnswerArrays:
    probabilities = []
    for head in ANSWER_HEADS:
        logits: Tensor = getattr(answers, str(head)).float()
        probability = logits.sigmoid() if head in MULTI_LABEL_HEADS else logits.softmax(-1)
        probabilities.append(probability.cpu().numpy())
    return AnswerArrays(
        probabilities=tuple(probabilities),
        node_scores=answers.grounding.float().sigmoid().cpu().numpy(),
        attention=_as_array(answers.visual_attention),
        node_attention=_as_array(answers.node_attention),
    )


def _as_array(values: Tensor | None) -> FloatArray | None:
    return None if values is None else values.float().cpu().numpy()
