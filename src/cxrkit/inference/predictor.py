"""A loaded model that answers questions about films."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cxrkit.data.batches.tokenize import QuestionTokenizer
from cxrkit.data.batches.transforms import prepare_images
from cxrkit.hardware import choose_device, detect_hardware
from cxrkit.models.outputs import Answers, EncodedFilms
from cxrkit.models.text import load_tokenizer
from cxrkit.models.vqa import SSGVQAModel
from cxrkit.vocabulary import ANSWER_HEADS, MULTI_LABEL_HEADS

FloatArray = npt.NDArray[np.float32]
TOKENIZER = "tokenizer"


@dataclass(frozen=True)
class AnswerArrays:
    """Answers to N questions as arrays.

    Attributes:
        probabilities: per head code (order of `ANSWER_HEADS`) `[N, C]`.
        box_scores: `[N, 26]` probability that a node supports the answer.
        attention: `[N, P]` over the visual tokens, or None.
    """

    probabilities: tuple[FloatArray, ...]
    box_scores: FloatArray
    attention: FloatArray | None


class Predictor:
    """Answers questions with a saved model.

    Args:
        folder: a `best_model` folder of a VQA run.

    Raises:
        ArtifactError: the folder holds no such model, or its weights do not fit.
    """

    def __init__(self, folder: Path) -> None:
        self.device = torch.device(choose_device(detect_hardware()).name)
        self.model = SSGVQAModel.load(folder).to(self.device).eval()
        self.tokenize = QuestionTokenizer(
            load_tokenizer(str(folder / TOKENIZER)), self.model.config.max_question_length
        )

    @torch.no_grad()
    def encode(
        self,
        images: Tensor,
        boxes: Tensor | None = None,
        findings: Tensor | None = None,
        sides: Tensor | None = None,
    ) -> EncodedFilms:
        """Encodes stored films once for all their questions.

        Args:
            images: `[B, C, C]` uint8.
            boxes: the data set's `[B, 26, 4]`, read only by the graph sources `anatomy` and `oracle`.
            findings: the data set's `[B, 26, E]`, likewise.
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
        moved = [None if values is None else values.to(self.device) for values in (boxes, findings)]
        return self.model.encode_images(prepared, *moved)

    @torch.no_grad()
    def answer(
        self,
        films: EncodedFilms,
        image_of_question: Tensor,
        questions: Sequence[str],
        *,
        with_attention: bool = False,
    ) -> AnswerArrays:
        """Answers questions; equal texts are encoded once.

        Args:
            films: from `encode`.
            image_of_question: `[N]` which film each question is about.
            questions: N texts.
            with_attention: also give the attention over visual tokens.
        """
        texts, inverse = np.unique(np.asarray(questions, dtype=object), return_inverse=True)
        tokens = self.tokenize([str(text) for text in texts])
        encoded = self.model.questions(
            tokens["input_ids"].to(self.device), tokens["attention_mask"].to(self.device)
        )
        asked = encoded.rows(torch.from_numpy(inverse).to(self.device))
        answers = self.model.answer(
            films, image_of_question.to(self.device), asked, with_attention=with_attention
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
        box_scores=answers.grounding.float().sigmoid().cpu().numpy(),
        attention=None if answers.attention is None else answers.attention.float().cpu().numpy(),
    )
