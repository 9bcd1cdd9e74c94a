"""The settings of the two tasks, each a frozen tree of sections."""

from typing import Literal, TypeAlias

from pydantic import Field

from cxrkit.config.data_section import DataSettings
from cxrkit.config.model_section import ClassifierSettings, ModelSettings
from cxrkit.config.section import Section
from cxrkit.config.training_section import (
    ClassifyTrainingSettings,
    DeepspeedSettings,
    TrainingSettings,
    WandbSettings,
)

Task: TypeAlias = Literal["vqa", "classify"]


class VQASettings(Section):
    """Everything that decides how a VQA model is built, trained and evaluated."""

    task: Literal["vqa"] = Field(default="vqa", description="what the file is for")
    model: ModelSettings = Field(default=ModelSettings(), description="the VQA network")
    data: DataSettings = Field(default=DataSettings(), description="which data, and how it is read")
    training: TrainingSettings = Field(default=TrainingSettings(), description="how it is trained")
    wandb: WandbSettings = Field(default=WandbSettings(), description="tracking")
    deepspeed: DeepspeedSettings = Field(default=DeepspeedSettings(), description="several GPUs")


class ClassifySettings(Section):
    """Everything that decides how a 14-label classifier is built, trained and evaluated."""

    task: Literal["classify"] = Field(default="classify", description="what the file is for")
    model: ClassifierSettings = Field(default=ClassifierSettings(), description="the classifier")
    data: DataSettings = Field(default=DataSettings(), description="which data, and how it is read")
    training: ClassifyTrainingSettings = Field(
        default=ClassifyTrainingSettings(), description="how it is trained"
    )
    wandb: WandbSettings = Field(default=WandbSettings(), description="tracking")
    deepspeed: DeepspeedSettings = Field(default=DeepspeedSettings(), description="several GPUs")


Settings: TypeAlias = VQASettings | ClassifySettings
SETTINGS_OF_TASK: dict[Task, type[VQASettings] | type[ClassifySettings]] = {
    "vqa": VQASettings,
    "classify": ClassifySettings,
}
