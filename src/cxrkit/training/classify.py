"""Trains the 14-label classifier."""

from functools import partial

from transformers import set_seed

from cxrkit.config import ClassifySettings
from cxrkit.data.batches.dataset import Collate
from cxrkit.data.batches.loading import labelled_films, make_loader
from cxrkit.data.films.opener import films_of
from cxrkit.data.index import Index
from cxrkit.models.backbone import enable_checkpointing
from cxrkit.models.classifier import CXRClassifier
from cxrkit.models.configuration import ClassifierConfig
from cxrkit.training.engine import Progress
from cxrkit.training.layer_decay import layer_groups
from cxrkit.training.modules import ClassifierModule
from cxrkit.training.publishing import require_hub_name
from cxrkit.training.run import run_training
from cxrkit.training.run_folder import TrainedRun, require_free_run, start_run
from cxrkit.training.validation import require_metric, validate_classifier


def train_classifier(settings: ClassifySettings, *, progress: Progress | None = None) -> TrainedRun:
    """Trains the classifier that the settings describe on the prepared workspace.

    Args:
        settings: resolved settings; `data.workspace` must be prepared.
        progress: called with (stage, steps done, steps).

    Raises:
        SettingsError: the best model's metric or the hub's repository is none.
        ArtifactError: no prepared workspace, or a run folder in use.
        WeightsError: pretrained weights cannot be had.
        DataLayoutError: no labelled film in a split.
    """
    require_metric("classify", settings.training.metric_for_best_model)
    require_hub_name(settings.training.hub_model_id)
    require_free_run(settings)
    index = Index.open(settings.data.workspace)
    store = films_of(index)
    set_seed(settings.training.seed)
    films = labelled_films(index, store, settings.data, "train", seed=settings.training.seed)
    validation = labelled_films(index, store, settings.data, "validate", seed=settings.training.seed)
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
    collate = Collate(index, tokenize=None)
    batch_size = settings.training.batch_size_per_gpu
    batches = make_loader(validation, collate, batch_size=batch_size, workers=0, shuffle=False)
    training = settings.training
    groups = layer_groups(
        model.network,
        learning_rate=training.learning_rate,
        weight_decay=training.weight_decay,
        layer_decay=training.layer_decay,
    )
    return run_training(
        settings, start_run(settings), index, ClassifierModule(model), model, films, collate,
        validate=partial(validate_classifier, batches=batches), progress=progress,
        parameter_groups=groups if training.layer_decay < 1 else None,
    )  # fmt: skip
