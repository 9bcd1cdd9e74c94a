"""Trains the 14-label classifier."""

import logging
from functools import partial

import torch
from torch import Tensor
from transformers import set_seed

from cxrkit.config import ClassifySettings
from cxrkit.data.batches.dataset import Collate, FilmDataset
from cxrkit.data.batches.loading import labelled_films, make_loader
from cxrkit.data.films.opener import films_of
from cxrkit.data.index import Index
from cxrkit.models.backbone import enable_checkpointing
from cxrkit.models.classifier import CXRClassifier
from cxrkit.models.configuration import ClassifierConfig
from cxrkit.models.internimage import set_dcnv3_backend
from cxrkit.models.label_policies import balanced_weights
from cxrkit.training.arguments import learning_rate
from cxrkit.training.arithmetic import dcnv3_backend, use_channels_last
from cxrkit.training.callbacks import Progress
from cxrkit.training.job import Job
from cxrkit.training.layer_decay import layer_groups
from cxrkit.training.modules import ClassifierModule
from cxrkit.training.publishing.hub import prepare_for_hub
from cxrkit.training.resume import require_startable
from cxrkit.training.run import run_training
from cxrkit.training.run_folder import TrainedRun
from cxrkit.training.tracking.data_use import require_sendable_names
from cxrkit.training.validation import require_metric, validate_classifier
from cxrkit.vocabulary import FINDINGS

logger = logging.getLogger(__name__)


def train_classifier(settings: ClassifySettings, *, progress: Progress | None = None) -> TrainedRun:
    """Trains the classifier that the settings describe on the prepared workspace.

    Args:
        settings: resolved settings; `data.workspace` must be prepared.
        progress: called with (stage, steps done, steps).

    Raises:
        SettingsError: the best model's metric or the hub's repository is none.
        ArtifactError: no prepared workspace, a run folder in use, or a checkpoint that cannot be used.
        TrainingStopped: a signal asked to stop.
        WeightsError: pretrained weights cannot be had.
        DataLayoutError: no labelled film in a split.
    """
    require_metric("classify", settings.training.metric_for_best_model)
    require_sendable_names(settings)
    prepare_for_hub(settings.training)
    require_startable(settings)
    return run_training(classifier_job(settings), progress)


def classifier_job(settings: ClassifySettings) -> Job:
    """Gives what a training with these settings trains.

    Args:
        settings: as for `train_classifier`.

    Raises:
        ArtifactError: no prepared workspace.
        WeightsError: pretrained weights cannot be had.
        DataLayoutError: no labelled film in a split.
    """
    training = settings.training
    index = Index.open(settings.data.workspace)
    store = films_of(index)
    set_seed(training.seed)
    films = labelled_films(index, store, settings.data, "train", seed=training.seed)
    validation = labelled_films(index, store, settings.data, "validate", seed=training.seed)
    model = _build_model(settings)
    collate = Collate(index, tokenize=None)
    batch_size = training.batch_size_per_gpu
    batches = make_loader(validation, collate, batch_size=batch_size, workers=0, shuffle=False)
    groups = layer_groups(
        model.network,
        learning_rate=learning_rate(settings),
        weight_decay=training.weight_decay,
        layer_decay=training.layer_decay,
    )
    module = ClassifierModule(model, _positive_weights(settings, films))
    return Job(
        settings, index, module, model, films, collate,
        partial(validate_classifier, batches=batches, index=index), len(validation),
        backbone=model.network, head=(model.network.get_classifier(),),
        parameter_groups=groups if training.layer_decay < 1 else None,
    )  # fmt: skip


def _build_model(settings: ClassifySettings) -> CXRClassifier:
    config = ClassifierConfig(
        visual_backbone=settings.model.visual_backbone,
        image_size=settings.data.image_size,
        image_mean=settings.data.normalize_mean,
        image_std=settings.data.normalize_std,
        drop_rate=settings.model.drop_rate,
        drop_path_rate=settings.model.drop_path_rate,
        label_policy=settings.model.label_policy,
    )
    model = CXRClassifier(config, pretrained=settings.model.pretrained)
    if settings.training.gradient_checkpointing:
        enable_checkpointing(model.network)
    set_dcnv3_backend(model, dcnv3_backend(settings))
    if settings.training.channels_last:
        use_channels_last(model.network)
    return model


def _positive_weights(settings: ClassifySettings, films: FilmDataset) -> Tensor | None:
    """Gives the weight of each finding's positives in the loss, `[14]`; None where all are 1."""
    asked = settings.training.pos_weight
    if asked is None:
        return None
    if isinstance(asked, str):
        study = films.index.column("images", "study_row")[films.selection.image_rows]
        labels = torch.from_numpy(films.index.column("studies", "chexpert")[study])
        weights = balanced_weights(labels, settings.model.label_policy)
    else:
        weights = torch.tensor([asked.get(finding, 1.0) for finding in FINDINGS])
    named = ", ".join(f"{name} {weight:.2f}" for name, weight in zip(FINDINGS, weights.tolist(), strict=True))
    logger.info("weight of positives in the loss: %s", named)
    return weights
