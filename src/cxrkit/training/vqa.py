"""Trains SSG-VQA-Net."""

from functools import partial
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast, set_seed

from cxrkit.config import VQASettings
from cxrkit.data.batches.dataset import Collate, FilmDataset
from cxrkit.data.batches.loading import evaluation_films, make_loader, training_films
from cxrkit.data.batches.reference_boxes import mean_region_boxes
from cxrkit.data.films.opener import films_of
from cxrkit.data.index import Index
from cxrkit.errors import WeightsError
from cxrkit.models.configuration import SSGVQAConfig
from cxrkit.models.internimage import set_dcnv3_backend
from cxrkit.models.losses import LossWeights
from cxrkit.models.names import entity_matcher, region_matcher
from cxrkit.models.nodes import GRAPH_SOURCES
from cxrkit.models.question_tokens import QuestionTokenizer
from cxrkit.models.text import (
    SCRATCH,
    QuestionEncoder,
    load_text_encoder,
    load_tokenizer,
    scratch_text_config,
    text_encoder_from_config,
    train_tokenizer,
)
from cxrkit.models.vqa import SSGVQAModel
from cxrkit.training.arithmetic import dcnv3_backend, use_channels_last
from cxrkit.training.callbacks import Progress
from cxrkit.training.job import Job
from cxrkit.training.modules import VQAModule
from cxrkit.training.publishing.hub import prepare_for_hub
from cxrkit.training.resume import require_startable
from cxrkit.training.run import run_training
from cxrkit.training.run_folder import TrainedRun
from cxrkit.training.source_mixing import FollowSteps, SourceMixing
from cxrkit.training.tracking.data_use import require_sendable_names
from cxrkit.training.validation import require_metric, validate_vqa


def train_vqa(settings: VQASettings, *, progress: Progress | None = None) -> TrainedRun:
    """Trains the model that the settings describe on the prepared workspace.

    Args:
        settings: resolved settings; `data.workspace` must be prepared.
        progress: called with (stage, steps done, steps).

    Raises:
        SettingsError: the best model's metric or the hub's repository is none.
        ArtifactError: no prepared workspace, a run folder in use, or a checkpoint that cannot be used.
        TrainingStopped: a signal asked to stop.
        WeightsError: pretrained weights cannot be had.
        DataLayoutError: no question passes the filters.
    """
    require_metric("vqa", settings.training.metric_for_best_model)
    require_sendable_names(settings)
    prepare_for_hub(settings.training)
    require_startable(settings)
    return run_training(vqa_job(settings), progress)


def vqa_job(settings: VQASettings) -> Job:
    """Gives what a training with these settings trains.

    Args:
        settings: as for `train_vqa`.

    Raises:
        ArtifactError: no prepared workspace.
        WeightsError: pretrained weights cannot be had.
        DataLayoutError: no question passes the filters.
    """
    index = Index.open(settings.data.workspace)
    store = films_of(index)
    set_seed(settings.training.seed)
    films = training_films(index, store, settings.data, settings.training.seed)
    tokenizer = _tokenizer(settings, index, films)
    model = _build_model(settings, index, tokenizer)
    if settings.training.gradient_checkpointing:
        model.gradient_checkpointing_enable()
    set_dcnv3_backend(model, dcnv3_backend(settings))
    if settings.training.channels_last:
        use_channels_last(model.visual.body)
    boxes = mean_region_boxes(index, store, films.selection.image_rows)
    model.scene_graph.set_reference_boxes(torch.from_numpy(boxes))
    collate = Collate(index, QuestionTokenizer(tokenizer, settings.model.max_question_length))
    validation = evaluation_films(
        index,
        store,
        settings.data,
        "validate",
        questions_per_image=settings.data.questions_per_image,
        seed=settings.training.seed,
    )
    training = settings.training
    batches = make_loader(
        validation, collate, batch_size=training.batch_size_per_gpu, workers=0, shuffle=False
    )
    weights = LossWeights(
        training.vqa_loss_weight,
        training.chexpert_loss_weight,
        training.scene_graph_loss_weight,
        training.grounding_loss_weight,
    )
    mixing = SourceMixing(training.oracle_warmup_steps, training.other_sources_share)
    module = VQAModule(model, weights, blank_is_negative=training.chexpert_blank == "negative", mixing=mixing)
    return Job(
        settings, index, module, model, films, collate,
        partial(validate_vqa, batches=batches), len(validation),
        backbone=model.visual.body, callbacks=[FollowSteps(mixing)],
    )  # fmt: skip


def _tokenizer(settings: VQASettings, index: Index, films: FilmDataset) -> PreTrainedTokenizerFast:
    name = settings.model.text_encoder
    if not name.startswith(SCRATCH):
        return load_tokenizer(name)
    texts = index.texts.column("text")
    return train_tokenizer(texts[int(row)].as_py() for row in films.selection.question_texts(index))


def _build_model(settings: VQASettings, index: Index, tokenizer: PreTrainedTokenizerFast) -> SSGVQAModel:
    model = settings.model
    if model.text_encoder.startswith(SCRATCH):
        text_config = scratch_text_config(model.text_encoder, len(tokenizer), model.max_question_length)
        encoder = text_encoder_from_config(text_config)
    else:
        encoder = load_text_encoder(model.text_encoder)
        text_config = encoder.config.to_dict()
        _require_fitting_encoder(model.text_encoder, text_config, tokenizer, model.max_question_length)
    pieces = partial(tokenizer.encode, add_special_tokens=False)
    entities, regions = entity_matcher(index.vocabularies.entities, pieces), region_matcher(pieces)
    questions = QuestionEncoder(encoder, model.hidden_size, entities, regions)
    config = SSGVQAConfig(
        visual_backbone=model.visual_backbone,
        text_encoder=model.text_encoder,
        text_config=text_config,
        entities=index.vocabularies.entities,
        entity_name_shape=(entities.pieces.shape[0], entities.pieces.shape[1]),
        region_name_shape=(regions.pieces.shape[0], regions.pieces.shape[1]),
        image_size=settings.data.image_size,
        image_mean=settings.data.normalize_mean,
        image_std=settings.data.normalize_std,
        max_question_length=model.max_question_length,
        grey_input=model.grey_input,
        visual_feature_dim=model.visual_feature_dim,
        region_embedding_dim=model.region_embedding_dim,
        entity_embedding_dim=model.entity_embedding_dim,
        hidden_size=model.hidden_size,
        intermediate_size=model.intermediate_size,
        num_hidden_layers=model.num_hidden_layers,
        num_attention_heads=model.num_attention_heads,
        hidden_dropout_prob=model.hidden_dropout_prob,
        attention_probs_dropout_prob=model.attention_probs_dropout_prob,
        sim_layers=model.sim_layers,
        graph_edges=model.graph_edges,
        graph_readings=model.graph_readings,
        visual_patches=model.visual_patches,
        scene_graph_source=model.scene_graph_source,
        trained_sources=trained_sources(settings),
        roi_source=model.roi_source,
        reads_film=model.reads_film,
    )
    return SSGVQAModel(config, pretrained=model.pretrained, question_encoder=questions, tokenizer=tokenizer)


def trained_sources(settings: VQASettings) -> tuple[str, ...]:
    """Gives the graph sources that a training with these settings shows."""
    training = settings.training
    others = {"oracle"} if training.oracle_warmup_steps else set()
    if training.other_sources_share:
        others |= set(GRAPH_SOURCES)
    return tuple(source for source in GRAPH_SOURCES if source in others | {settings.model.scene_graph_source})


def _require_fitting_encoder(
    name: str, config: dict[str, Any], tokenizer: PreTrainedTokenizerFast, longest: int
) -> None:
    """Refuses a text encoder that could not read the questions, before any training."""
    pieces, embeddings = len(tokenizer), config.get("vocab_size") or 0
    positions = config.get("max_position_embeddings")
    mistakes = {
        "at most one piece of the tokenizer per word embedding": f"{pieces} pieces, {embeddings} embeddings"
        if pieces > embeddings else "",
        "a tokenizer with a padding token": "none" if tokenizer.pad_token is None else "",
        "an encoder such as BERT": "an encoder-decoder" if config.get("is_encoder_decoder") else "",
        f"positions for model.max_question_length = {longest} tokens": f"{positions} positions"
        if positions is not None and positions < longest else "",
    }  # fmt: skip
    found = {expected: what for expected, what in mistakes.items() if what}
    if found:
        raise WeightsError(
            f"the text encoder {name} cannot read the questions",
            expected="\n".join(found),
            found="\n".join(found.values()),
            next_step="pass the folder of a whole BERT-like model, or lower model.max_question_length",
        )
