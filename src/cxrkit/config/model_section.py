"""The `model` section: what is built, for either task.

Names and defaults are those of the training guide that users of the earlier system know.
"""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from cxrkit.config import values
from cxrkit.config.section import Section
from cxrkit.config.values import Expectation
from cxrkit.vocabulary import FINDINGS, REGIONS, SEVERITIES

BOX_VALUES = 6  # x1, y1, x2, y2, area and aspect ratio of a scene-graph node


def _same_as_vocabulary(value: int, size: int, label: str) -> int:
    if value != size:
        raise ValueError(f"{size}, the number of {label}: the vocabulary is fixed")
    return value


class ModelSettings(Section):
    """The VQA network (SSG-VQA-Net)."""

    visual_backbone: values.Text = Field(default="convnext_base", description="a timm model, by name")
    pretrained: values.Pretrained = Field(
        default=True,
        description="start the backbone from published weights, a weights file, or random ones (false)",
    )
    dcnv3_backend: values.DCNv3Backend = Field(
        default="auto",
        description="what computes the core operator of InternImage; `cxrkit hardware` shows what auto takes",
    )
    text_encoder: values.Text = Field(
        default="emilyalsentzer/Bio_ClinicalBERT",
        description="a BERT-like hub name or local folder, or scratch:tiny, :small, :base (random weights)",
    )
    grey_input: values.GreyInput = Field(
        default="repeat",
        description="how grey films enter the backbone: repeat = three equal channels; average = one, "
        "with the stem's weights averaged over the channels",
    )
    visual_feature_dim: values.Count = Field(default=512, description="width of visual and ROI features")
    visual_patches: values.Count = Field(
        default=7, description="side of the pooled grid of visual tokens that enters the fusion"
    )
    scene_graph_source: values.SceneGraphSource = Field(
        default="predicted",
        description="where the scene graph comes from; oracle leaks the answer and is labelled so",
    )
    reads_film: values.Switch = Field(
        default=True,
        description="false = the network sees no film, only the question and a given graph (an ablation)",
    )
    roi_source: values.RoiSource = Field(
        default="roi", description="features of a node: pooled at its box, of the whole film, or both"
    )
    region_embedding_dim: values.Count = Field(default=64, description="width of a node's region embedding")
    entity_embedding_dim: values.Count = Field(default=64, description="width of a node's entity embedding")
    scene_graph_dim: values.Count = Field(
        default=134, description="width of a node: 6 box values + region embedding + entity embedding"
    )
    hidden_size: values.Count = Field(default=768, description="width of the fusion transformer")
    intermediate_size: values.Count = Field(default=3072, description="width of its feed-forward layers")
    num_hidden_layers: values.Count = Field(default=6, description="layers of the fusion transformer")
    num_attention_heads: values.Count = Field(
        default=12, description="attention heads; must divide hidden_size"
    )
    hidden_dropout_prob: values.DropProbability = Field(default=0.1, description="dropout of hidden states")
    attention_probs_dropout_prob: values.DropProbability = Field(
        default=0.1, description="dropout of attention weights"
    )
    sim_layers: values.CountOrZero = Field(default=2, description="layers of the scene-embedded interaction")
    graph_edges: values.Switch = Field(
        default=True,
        description="edges of the graph (parent, left/right, found together) bias the attention among nodes",
    )
    graph_readings: values.CountOrZero = Field(
        default=8, description="entity sets with which a question reads the scene graph; 0 = without"
    )
    num_binary_classes: values.Count = Field(default=2, description="no, yes (fixed)")
    num_category_classes: values.Count = Field(default=14, description="the CheXpert findings (fixed)")
    num_region_classes: values.Count = Field(default=26, description="the anatomical regions (fixed)")
    num_severity_classes: values.Count = Field(default=4, description="none, mild, moderate, severe (fixed)")
    max_question_length: Annotated[
        int, Field(ge=4, le=512), Expectation("a whole number of tokens from 4 to 512")
    ] = Field(
        default=128, description="upper limit in tokens; batches are padded to their own longest question"
    )

    @field_validator("reads_film")
    @classmethod
    def _graph_without_film_is_given(cls, value: bool, info: ValidationInfo) -> bool:
        if not value and info.data.get("scene_graph_source") == "predicted":
            raise ValueError("true, since scene_graph_source predicted predicts the graph from the film")
        return value

    @field_validator("scene_graph_dim")
    @classmethod
    def _node_is_sum_of_parts(cls, value: int, info: ValidationInfo) -> int:
        region, entity = info.data.get("region_embedding_dim"), info.data.get("entity_embedding_dim")
        if region is not None and entity is not None and value != BOX_VALUES + region + entity:
            total = BOX_VALUES + region + entity
            raise ValueError(f"{total} = {BOX_VALUES} + region_embedding_dim + entity_embedding_dim")
        return value

    @field_validator("num_attention_heads")
    @classmethod
    def _heads_divide_width(cls, value: int, info: ValidationInfo) -> int:
        width = info.data.get("hidden_size")
        if width is not None and width % value:
            raise ValueError(f"a divisor of hidden_size ({width})")
        return value

    @field_validator("num_binary_classes")
    @classmethod
    def _binary_is_fixed(cls, value: int) -> int:
        return _same_as_vocabulary(value, 2, "yes/no answers")

    @field_validator("num_category_classes")
    @classmethod
    def _category_is_fixed(cls, value: int) -> int:
        return _same_as_vocabulary(value, len(FINDINGS), "findings")

    @field_validator("num_region_classes")
    @classmethod
    def _region_is_fixed(cls, value: int) -> int:
        return _same_as_vocabulary(value, len(REGIONS), "regions")

    @field_validator("num_severity_classes")
    @classmethod
    def _severity_is_fixed(cls, value: int) -> int:
        return _same_as_vocabulary(value, len(SEVERITIES), "severities")


class ClassifierSettings(Section):
    """The 14-label classifier."""

    visual_backbone: values.Text = Field(default="convnext_base", description="a timm model, by name")
    pretrained: values.Pretrained = Field(
        default=True,
        description="start the backbone from published weights, a weights file, or random ones (false)",
    )
    dcnv3_backend: values.DCNv3Backend = Field(
        default="auto",
        description="what computes the core operator of InternImage; `cxrkit hardware` shows what auto takes",
    )
    drop_rate: values.DropProbability = Field(default=0.0, description="dropout before the classifier's head")
    drop_path_rate: values.DropProbability = Field(
        default=0.1, description="stochastic depth of the backbone"
    )
    label_policy: Literal["zeros", "ones", "ignore", "blank_ignore"] = Field(
        default="zeros",
        description="what uncertain and blank labels count as in training: zeros = both negative; ones = "
        "uncertain positive; ignore = uncertain left out; blank_ignore = both left out",
    )
