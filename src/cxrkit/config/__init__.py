"""Frozen settings of both tasks: YAML and command line in, every mistake reported at once."""

from cxrkit.config.data_section import DataSettings
from cxrkit.config.describe import Key, keys_of
from cxrkit.config.grades import minimum_rating
from cxrkit.config.loading import commented_settings, dump_settings, load_settings
from cxrkit.config.model_section import ClassifierSettings, ModelSettings
from cxrkit.config.paths import given_path, require_data_paths
from cxrkit.config.settings import SETTINGS_OF_TASK, ClassifySettings, Settings, Task, VQASettings
from cxrkit.config.training_section import (
    ClassifyTrainingSettings,
    CommonTrainingSettings,
    DeepspeedSettings,
    TrainingSettings,
    WandbSettings,
)
from cxrkit.config.values import QualityGrade, ViewFilter

__all__ = [
    "SETTINGS_OF_TASK",
    "ClassifierSettings",
    "ClassifySettings",
    "ClassifyTrainingSettings",
    "CommonTrainingSettings",
    "DataSettings",
    "DeepspeedSettings",
    "Key",
    "ModelSettings",
    "QualityGrade",
    "Settings",
    "Task",
    "TrainingSettings",
    "VQASettings",
    "ViewFilter",
    "WandbSettings",
    "commented_settings",
    "dump_settings",
    "given_path",
    "keys_of",
    "load_settings",
    "minimum_rating",
    "require_data_paths",
]
