"""SSG-VQA-Net for chest films: film -> scene graph -> interaction with the question -> answer heads."""

from pathlib import Path
from typing import Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from cxrkit.models.attention import FusionLayer
from cxrkit.models.backbone import FeatureMap, enable_checkpointing, pooled
from cxrkit.models.configuration import SSGVQAConfig
from cxrkit.models.graph_reading import GraphReading, Readings
from cxrkit.models.interaction import SceneEmbeddedInteraction
from cxrkit.models.names import empty_matcher
from cxrkit.models.outputs import Answers, EncodedFilms, EncodedQuestions, PredictedGraph
from cxrkit.models.scene_graph import SceneGraphHead, SceneNodes, cxcywh_to_xyxy
from cxrkit.models.storage import load_weights, save_weights
from cxrkit.models.text import QuestionEncoder, text_encoder_from_config
from cxrkit.vocabulary import ANSWER_HEADS, CLASSES_OF_HEAD, FINDINGS, REGIONS, Head

# How sure the data set's own graph is of what it states, as logits, for the sources that read it.
PRESENT_LOGIT, ABSENT_LOGIT = 6.0, -6.0


class SSGVQAModel(nn.Module):
    """Answers questions about films.

    Args:
        config: sizes and switches.
        pretrained: weights of the visual backbone: True (timm's), a path, or False (random).
        question_encoder: a text encoder with weights; None builds a random one from the configuration.
    """

    def __init__(
        self,
        config: SSGVQAConfig,
        *,
        pretrained: bool | str = False,
        question_encoder: QuestionEncoder | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.checkpointing = False
        width, channels, entities = config.hidden_size, config.visual_feature_dim, len(config.entities)
        dropouts = (config.hidden_dropout_prob, config.attention_probs_dropout_prob)
        self.visual = FeatureMap(config.visual_backbone, pretrained, channels, config.image_size)
        self.questions = question_encoder or _empty_question_encoder(config)
        self.scene_graph = SceneGraphHead(
            channels, entities, _heads(channels), config.attention_probs_dropout_prob
        )
        self.nodes = SceneNodes(
            channels,
            entities,
            config.region_embedding_dim,
            config.entity_embedding_dim,
            width,
            config.roi_source,
        )
        self.interaction = SceneEmbeddedInteraction(
            config.sim_layers, width, config.num_attention_heads, *dropouts
        )
        readings = config.graph_readings
        self.reading = GraphReading(width, config.entities, readings) if readings else None
        self.patches = nn.Sequential(nn.Linear(channels, width), nn.LayerNorm(width))
        self.patch_position = nn.Parameter(torch.randn(config.visual_patches**2, width) * 0.02)
        self.modality = nn.Parameter(torch.randn(3, width) * 0.02)
        self.fusion = nn.ModuleList(
            FusionLayer(width, config.num_attention_heads, config.intermediate_size, *dropouts)
            for _ in range(config.num_hidden_layers)
        )
        self.normalise = nn.LayerNorm(width)
        self.heads = nn.ModuleDict(
            {str(head): nn.Linear(width, len(CLASSES_OF_HEAD[head])) for head in ANSWER_HEADS}
        )
        self.node_region = nn.Linear(width, 1)
        self.node_support = nn.Linear(width, 1)
        self.chexpert = nn.Linear(2 * channels, len(FINDINGS))

    def encode_images(
        self, images: Tensor, boxes_xyxy_rel: Tensor | None = None, findings: Tensor | None = None
    ) -> EncodedFilms:
        """Encodes films once for all their questions.

        Args:
            images: `[B, 3, H, W]` normalised.
            boxes_xyxy_rel: `[B, 26, 4]` the data set's region boxes; read by `anatomy` and `oracle` only.
            findings: `[B, 26, E]` the data set's findings; read by `oracle` only.

        Raises:
            ValueError: the graph's source needs what was not given.
        """
        features = self.visual(images)
        graph = self.scene_graph(features) if self.config.scene_graph_source == "predicted" else None
        boxes, logits, mask = self._node_inputs(features, graph, boxes_xyxy_rel, findings)
        grid = functional.adaptive_avg_pool2d(features, self.config.visual_patches).flatten(2).transpose(1, 2)
        return EncodedFilms(
            patches=self.patches(grid) + self.patch_position,
            nodes=self.nodes(features, boxes, logits.sigmoid(), None if graph is None else graph.pooled),
            node_mask=mask,
            node_boxes_xyxy_rel=boxes,
            finding_logits=logits,
            chexpert_logits=self.chexpert(pooled(features)),
            graph=graph,
        )

    def _node_inputs(
        self, features: Tensor, graph: PredictedGraph | None, boxes: Tensor | None, findings: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gives boxes, finding logits and mask of the nodes for the configured source of the graph."""
        if graph is not None:
            mask = torch.ones_like(graph.presence_logits, dtype=torch.bool)
            return cxcywh_to_xyxy(graph.boxes_cxcywh_rel), graph.finding_logits, mask
        source = self.config.scene_graph_source
        if source == "none":
            boxes = features.new_zeros(len(features), len(REGIONS), 4)
        if source != "oracle":
            findings = features.new_zeros(len(features), len(REGIONS), len(self.config.entities))
        if boxes is None or findings is None:
            raise ValueError(
                f"the graph source {source} needs the data set's boxes (and findings for oracle)"
            )
        mask = (boxes[..., 2:] > boxes[..., :2]).all(-1)
        return boxes, ABSENT_LOGIT + findings * (PRESENT_LOGIT - ABSENT_LOGIT), mask

    def answer(
        self,
        films: EncodedFilms,
        image_of_question: Tensor,
        questions: EncodedQuestions,
        *,
        with_attention: bool = False,
    ) -> Answers:
        """Answers questions about encoded films.

        Args:
            films: from `encode_images`.
            image_of_question: `[N]` which film each question is about.
            questions: N encoded questions.
            with_attention: also give the attention over visual tokens.
        """
        words, word_mask = questions.words, questions.mask
        node_mask = films.node_mask[image_of_question]
        nodes = self.interaction(films.nodes[image_of_question], node_mask, words, word_mask)
        patches = films.patches[image_of_question]
        parts = [words + self.modality[0], nodes + self.modality[1], patches + self.modality[2]]
        tokens = torch.cat(parts, dim=1)
        mask = torch.cat([word_mask, node_mask, torch.ones_like(patches[..., 0], dtype=torch.bool)], dim=1)
        attention = None
        for number, layer in enumerate(self.fusion):
            if with_attention and number == len(self.fusion) - 1:
                weights = cast("FusionLayer", layer).attention_of_first(tokens, mask)
                attention = weights[:, -patches.shape[1] :]
            tokens = self._through(layer, tokens, mask)
        tokens = self.normalise(tokens)
        question, answered = tokens[:, 0], tokens[:, words.shape[1] : words.shape[1] + len(REGIONS)]
        readings = None
        if self.reading is not None:
            readings = self.reading(
                _mean_word(words, word_mask),
                questions.entity_scores,
                questions.region_scores,
                films.finding_logits[image_of_question],
            )
            question = question + readings.state
        return self._read_out(question, answered, node_mask, readings, attention)

    def enable_gradient_checkpointing(self) -> None:
        """Recomputes activations in the backward pass instead of keeping them."""
        self.checkpointing = True
        enable_checkpointing(self.visual.body)
        self.questions.encoder.activation_checkpointing_enable({"use_reentrant": False})

    def _through(self, layer: nn.Module, tokens: Tensor, mask: Tensor) -> Tensor:
        if not (self.checkpointing and self.training):
            result: Tensor = layer(tokens, mask)
            return result
        return cast("Tensor", checkpoint(layer, tokens, mask, use_reentrant=False))

    def _read_out(
        self,
        question: Tensor,
        nodes: Tensor,
        node_mask: Tensor,
        readings: Readings | None,
        attention: Tensor | None,
    ) -> Answers:
        logits = {head: self.heads[str(head)](question) for head in ANSWER_HEADS}
        region = logits[Head.REGION] + self.node_region(nodes).squeeze(-1) * node_mask
        binary, category = logits[Head.BINARY], logits[Head.CATEGORY]
        grounding = self.node_support(nodes).squeeze(-1)
        if readings is not None:
            region = region + readings.region * node_mask
            category = category + readings.category
            binary = binary + torch.stack([-readings.yes, readings.yes], dim=-1)
            grounding = grounding + readings.support
        return Answers(
            binary=binary,
            category=category,
            region=region,
            severity=logits[Head.SEVERITY],
            grounding=grounding,
            attention=attention,
        )

    def save(self, folder: Path) -> None:
        """Writes configuration and weights (safetensors) into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self.config.save(folder)
        save_weights(self, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads a model that `save` wrote; a missing or unexpected weight is an error.

        Raises:
            ArtifactError: the folder holds no such model, or its weights do not fit.
        """
        model = cls(SSGVQAConfig.load(folder))
        load_weights(model, folder)
        return model


def _empty_question_encoder(config: SSGVQAConfig) -> QuestionEncoder:
    """Makes a question encoder of the configured shape, to be filled from saved weights."""
    entities = empty_matcher(*config.entity_name_shape, things=len(config.entities))
    regions = empty_matcher(*config.region_name_shape, things=len(REGIONS))
    return QuestionEncoder(
        text_encoder_from_config(config.text_config), config.hidden_size, entities, regions
    )


def _heads(channels: int) -> int:
    return next(heads for heads in (8, 4, 2, 1) if channels % heads == 0)


def _mean_word(words: Tensor, word_mask: Tensor) -> Tensor:
    """Gives the mean of each question's tokens: `[N, T, H]` and mask `[N, T]` -> `[N, H]`."""
    weights = word_mask.to(words.dtype).unsqueeze(-1)
    return (words * weights).sum(1) / weights.sum(1).clamp(min=1)
