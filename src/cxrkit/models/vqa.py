"""SSG-VQA-Net for chest films: film -> scene graph -> interaction with the question -> answer heads.

Importing this module registers model and configuration with `AutoModel` and `AutoConfig`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

from cxrkit.models.backbone import FeatureMap, NoFilm, enable_checkpointing, pooled
from cxrkit.models.configuration import SSGVQAConfig
from cxrkit.models.edges import GraphEdges
from cxrkit.models.fusion import FusionTransformer
from cxrkit.models.graph_reading import GraphReading, Readings
from cxrkit.models.interaction import SceneEmbeddedInteraction
from cxrkit.models.names import empty_matcher
from cxrkit.models.nodes import DataSetGraph, NodeInputs, SceneNodes, node_inputs
from cxrkit.models.outputs import (
    Answers,
    EncodedImages,
    EncodedQuestions,
    PredictedGraph,
    SSGVQAOutput,
    by_region,
)
from cxrkit.models.question_tokens import QuestionTokenizer
from cxrkit.models.saved_model import SavedModel
from cxrkit.models.scene_graph import SceneGraphHead
from cxrkit.models.text import QuestionEncoder, load_tokenizer, text_encoder_from_config
from cxrkit.vocabulary import ANSWER_HEADS, CLASSES_OF_HEAD, FINDINGS, REGIONS, Head

TOKENIZER = "tokenizer"
# The grounding logit of a node that does not exist.
NO_NODE_LOGIT = -30.0


class SSGVQAModel(SavedModel):
    """Answers questions about films.

    Args:
        config: sizes and switches.
        pretrained: weights of the visual backbone: True (timm's), a path, or False (random).
        question_encoder: a text encoder with weights; None builds a random one from the configuration.
        tokenizer: of the questions; saved with the model, needed to answer questions given as texts.
    """

    config: SSGVQAConfig
    config_class = SSGVQAConfig

    def __init__(
        self,
        config: SSGVQAConfig,
        *,
        pretrained: bool | str = False,
        question_encoder: QuestionEncoder | None = None,
        tokenizer: PreTrainedTokenizerFast | None = None,
    ) -> None:
        super().__init__(config)
        self.tokenizer = tokenizer
        width, channels, entities = config.hidden_size, config.visual_feature_dim, len(config.entities)
        dropouts = (config.hidden_dropout_prob, config.attention_probs_dropout_prob)
        heads = config.num_attention_heads
        self.visual = (
            FeatureMap(config.visual_backbone, pretrained, channels, config.image_size, config.grey_input)
            if config.reads_film
            else NoFilm(channels)
        )
        self.questions = question_encoder or _empty_question_encoder(config)
        self.scene_graph = SceneGraphHead(channels, entities, _heads(channels), dropouts[1])
        self.nodes = SceneNodes(
            channels,
            entities,
            config.region_embedding_dim,
            config.entity_embedding_dim,
            width,
            config.roi_source,
        )
        self.edges = GraphEdges() if config.graph_edges else None
        self.interaction = SceneEmbeddedInteraction(
            config.sim_layers, width, heads, *dropouts, with_edges=config.graph_edges
        )
        readings = config.graph_readings
        self.reading = GraphReading(width, config.entities, readings) if readings else None
        self.patches = nn.Sequential(nn.Linear(channels, width), nn.LayerNorm(width))
        self.patch_position = nn.Parameter(torch.randn(config.visual_patches**2, width) * 0.02)
        self.modality = nn.Parameter(torch.randn(3, width) * 0.02)
        self.fusion = FusionTransformer(
            config.num_hidden_layers, width, heads, config.intermediate_size, *dropouts
        )
        self.heads = nn.ModuleDict(
            {str(head): nn.Linear(width, len(CLASSES_OF_HEAD[head])) for head in ANSWER_HEADS}
        )
        self.node_region = nn.Linear(width, 1)
        self.node_support = nn.Linear(width, 1)
        self.chexpert = nn.Linear(2 * channels, len(FINDINGS))
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(
        self,
        images: Tensor,
        input_ids: Tensor,
        attention_mask: Tensor,
        image_of_question: Tensor | None = None,
        *,
        given: DataSetGraph | None = None,
        with_attention: bool = False,
    ) -> SSGVQAOutput:
        """Encodes films and answers questions about them.

        Args:
            images: `[B, 3, H, W]` normalised.
            input_ids: `[N, T]` tokens of the questions.
            attention_mask: `[N, T]` 0 at padding.
            image_of_question: `[N]` which film each question is about; see `answer`.
            given: the data set's graph, for the sources `anatomy` and `oracle`.
            with_attention: also give attention.
        """
        encoded = self.encode_image(images, given=given)
        questions = self.questions(input_ids, attention_mask)
        answers = self.answer(encoded, questions, image_of_question, with_attention=with_attention)
        return SSGVQAOutput(answers, encoded.chexpert_logits, encoded.graph)

    def encode_image(
        self,
        images: Tensor,
        *,
        source: str | Sequence[str] | None = None,
        given: DataSetGraph | None = None,
    ) -> EncodedImages:
        """Encodes films once for all their questions.

        Args:
            images: `[B, 3, H, W]` normalised.
            source: where the scene graph comes from, for all films or for each; None takes the setting.
            given: the data set's graph; read by `anatomy` and `oracle` only.

        Raises:
            ValueError: the graph's source is unknown or needs what was not given.
        """
        return self.encode_features(self.visual(images), source=source, given=given)

    def encode_features(
        self,
        features: Tensor,
        *,
        source: str | Sequence[str] | None = None,
        given: DataSetGraph | None = None,
    ) -> EncodedImages:
        """Goes on from a feature map `[B, C, h, w]`, the output of `self.visual`; see `encode_image`."""
        source = source or self.config.scene_graph_source
        sources = {source} if isinstance(source, str) else set(source)
        # In training the head is supervised even while every film of a batch sees another graph.
        is_supervised = self.training and self.config.scene_graph_source == "predicted"
        graph = self.scene_graph(features) if is_supervised or "predicted" in sources else None
        inputs = self._node_inputs(features, source, graph, given)
        grid = functional.adaptive_avg_pool2d(features, self.config.visual_patches).flatten(2).transpose(1, 2)
        visual = self.patches(grid) + self.patch_position + self.modality[2]
        regions = torch.arange(len(REGIONS), device=features.device).expand(len(features), -1)
        probabilities = inputs.finding_logits.sigmoid() * inputs.has_findings[:, None, None]
        return EncodedImages(
            visual=self.fusion.read_film(visual),
            nodes=self.nodes(features, inputs, graph.pooled if sources == {"predicted"} and graph else None),
            node_mask=inputs.mask,
            node_regions=regions,
            node_boxes_xyxy_rel=inputs.boxes_xyxy_rel,
            finding_logits=inputs.finding_logits,
            has_findings=inputs.has_findings,
            edges=None if self.edges is None else self.edges(regions, probabilities),
            chexpert_logits=self.chexpert(pooled(features)),
            graph=graph,
        )

    def _node_inputs(
        self,
        features: Tensor,
        source: str | Sequence[str],
        graph: PredictedGraph | None,
        given: DataSetGraph | None,
    ) -> NodeInputs:
        def of(name: str) -> NodeInputs:
            return node_inputs(name, len(features), len(self.config.entities), graph, given, features)

        if isinstance(source, str):
            return of(source)
        first, *others = sorted(set(source))
        inputs = of(first)
        for name in others:
            chosen = torch.tensor([own == name for own in source], device=features.device)
            inputs = of(name).where(chosen, inputs)
        return inputs

    def answer(
        self,
        encoded: EncodedImages,
        questions: EncodedQuestions | Sequence[str],
        image_of_question: Tensor | None = None,
        *,
        with_attention: bool = False,
    ) -> Answers:
        """Answers questions about encoded films.

        Args:
            encoded: from `encode_image`.
            questions: N encoded questions, or N texts; equal texts are encoded once.
            image_of_question: `[N]` which film each question is about; None when there is one film, or one
                question for each film in their order.
            with_attention: also give the attention over visual tokens and of the nodes over the question.

        Raises:
            ValueError: questions are texts and the model has no tokenizer, or it is not told which film a
                question is about.
        """
        if not isinstance(questions, EncodedQuestions):
            questions = self.encode_questions(questions)
        image_of_question = _films_of(len(questions), encoded, image_of_question)
        words, word_mask = questions.words, questions.mask
        node_mask = encoded.node_mask[image_of_question]
        nodes, sim_attention = self.interaction(
            encoded.nodes[image_of_question], node_mask, words, word_mask, encoded.edges, image_of_question,
            with_attention=with_attention,
        )  # fmt: skip
        tokens, attention = self.fusion(
            torch.cat([words + self.modality[0], nodes + self.modality[1]], dim=1),
            torch.cat([word_mask, node_mask], dim=1),
            encoded.visual,
            image_of_question,
            with_attention=with_attention,
        )
        question, answered = tokens[:, 0], tokens[:, words.shape[1] :]
        regions = encoded.node_regions[image_of_question]
        readings = self._read_graph(encoded, questions, image_of_question)
        if readings is not None:
            question = question + readings.state
        answers = self._read_out(question, answered, node_mask, regions, readings)
        if attention is None:
            return Answers(**answers)
        _, over_nodes, over_patches = attention.split(
            [words.shape[1], nodes.shape[1], attention.shape[1] - words.shape[1] - nodes.shape[1]], dim=1
        )
        return Answers(
            **answers,
            visual_attention=over_patches,
            node_attention=over_nodes,
            sim_attention=sim_attention,
        )

    def encode_questions(self, texts: Sequence[str]) -> EncodedQuestions:
        """Encodes N texts, equal ones once.

        Raises:
            ValueError: the model has no tokenizer.
        """
        if self.tokenizer is None:
            raise ValueError(
                "this model has no tokenizer: load it from its folder, or pass encoded questions"
            )
        different = list(dict.fromkeys(texts))
        tokens = QuestionTokenizer(self.tokenizer, self.config.max_question_length)(different)
        encoded: EncodedQuestions = self.questions(
            tokens["input_ids"].to(self.device), tokens["attention_mask"].to(self.device)
        )
        place = {text: row for row, text in enumerate(different)}
        return encoded.rows(torch.tensor([place[text] for text in texts], device=self.device))

    def _read_graph(
        self, encoded: EncodedImages, questions: EncodedQuestions, image_of_question: Tensor
    ) -> Readings | None:
        if self.reading is None:
            return None
        table = by_region(encoded.finding_logits, encoded.node_regions, absent=-6.0)
        readings: Readings = self.reading(
            _mean_word(questions.words, questions.mask),
            questions.entity_scores,
            questions.region_scores,
            table[image_of_question],
            encoded.has_findings[image_of_question],
        )
        return readings

    def _read_out(
        self, question: Tensor, nodes: Tensor, node_mask: Tensor, regions: Tensor, readings: Readings | None
    ) -> dict[str, Tensor]:
        logits = {head: self.heads[str(head)](question) for head in ANSWER_HEADS}
        at_nodes = self.node_region(nodes).squeeze(-1) * node_mask
        region = logits[Head.REGION] + by_region(at_nodes, regions, absent=0.0)
        binary, category = logits[Head.BINARY], logits[Head.CATEGORY]
        grounding = self.node_support(nodes).squeeze(-1)
        if readings is not None:
            exists = by_region(node_mask, regions, absent=False)
            region = region + readings.region * exists
            category = category + readings.category
            binary = binary + torch.stack([-readings.yes, readings.yes], dim=-1)
            grounding = grounding + readings.support.gather(1, regions.clamp(min=0))
        return {
            "binary": binary,
            "category": category,
            "region": region,
            "severity": logits[Head.SEVERITY],
            "grounding": grounding.masked_fill(~node_mask, NO_NODE_LOGIT),
        }

    def gradient_checkpointing_enable(self, gradient_checkpointing_kwargs: Any = None, **_: Any) -> None:
        """Recomputes activations in the backward pass instead of keeping them."""
        self.fusion.checkpointing = True
        enable_checkpointing(self.visual.body)
        self.questions.encoder.activation_checkpointing_enable({"use_reentrant": False})

    def save_pretrained(self, save_directory: Any, *args: Any, **kwargs: Any) -> None:
        """Writes configuration, weights (safetensors) and tokenizer into a folder."""
        if self.tokenizer is not None:
            self.tokenizer.save_pretrained(str(Path(save_directory) / TOKENIZER))
        super().save_pretrained(save_directory, *args, **kwargs)

    def read_companions(self, folder: Path) -> None:
        """Reads the tokenizer, where there is one."""
        if (folder / TOKENIZER).is_dir():
            self.tokenizer = load_tokenizer(str(folder / TOKENIZER))


def _empty_question_encoder(config: SSGVQAConfig) -> QuestionEncoder:
    """Makes a question encoder of the configured shape, to be filled from saved weights."""
    entities = empty_matcher(*config.entity_name_shape, things=len(config.entities))
    regions = empty_matcher(*config.region_name_shape, things=len(REGIONS))
    return QuestionEncoder(
        text_encoder_from_config(config.text_config), config.hidden_size, entities, regions
    )


def _films_of(questions: int, encoded: EncodedImages, image_of_question: Tensor | None) -> Tensor:
    if image_of_question is not None:
        return image_of_question
    films, device = len(encoded), encoded.nodes.device
    if films == 1:
        return torch.zeros(questions, dtype=torch.long, device=device)
    if films != questions:
        raise ValueError(
            f"{questions} questions about {films} films: image_of_question says which is about which"
        )
    return torch.arange(films, device=device)


def _heads(channels: int) -> int:
    return next(heads for heads in (8, 4, 2, 1) if channels % heads == 0)


def _mean_word(words: Tensor, word_mask: Tensor) -> Tensor:
    """Gives the mean of each question's tokens: `[N, T, H]` and mask `[N, T]` -> `[N, H]`."""
    weights = word_mask.to(words.dtype).unsqueeze(-1)
    return (words * weights).sum(1) / weights.sum(1).clamp(min=1)


AutoConfig.register(SSGVQAConfig.model_type, SSGVQAConfig, exist_ok=True)
AutoModel.register(SSGVQAConfig, SSGVQAModel, exist_ok=True)
