"""The table from an entity to the function that draws its signature on the scene."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from cxrkit.data.synthetic.frame import Points
from cxrkit.data.synthetic.outlines import heart_outline, region_outlines
from cxrkit.data.synthetic.scene import Scene
from cxrkit.data.synthetic.signatures_airspace import (
    atelectasis,
    consolidation,
    emphysema,
    lung_mass,
    lung_nodule,
    lung_opacity,
    pneumonia,
    pulmonary_edema,
)
from cxrkit.data.synthetic.signatures_bone import callus_of_clavicle
from cxrkit.data.synthetic.signatures_pleura import pleural_effusion, pleural_thickening, pneumothorax
from cxrkit.data.synthetic.truth import PlacedFinding

Signature: TypeAlias = Callable[[Scene, PlacedFinding, float, np.random.Generator], Points]


def _enlarged_heart(scene: Scene, finding: PlacedFinding, grade: float, rng: np.random.Generator) -> Points:
    return heart_outline(scene.chest)


def _widened_mediastinum(
    scene: Scene, finding: PlacedFinding, grade: float, rng: np.random.Generator
) -> Points:
    return region_outlines(scene.chest)["upper mediastinum"]


# In the order of drawing: pneumothorax first, because it decides where lung markings remain.
SIGNATURES: Mapping[str, Signature] = MappingProxyType(
    {
        "pneumothorax": pneumothorax,
        "emphysema": emphysema,
        "pulmonary edema": pulmonary_edema,
        "lung opacity": lung_opacity,
        "pneumonia": pneumonia,
        "consolidation": consolidation,
        "lung nodule": lung_nodule,
        "lung mass": lung_mass,
        "atelectasis": atelectasis,
        "pleural thickening": pleural_thickening,
        "pleural effusion": pleural_effusion,
        "cardiomegaly": _enlarged_heart,
        "mediastinal widening": _widened_mediastinum,
        "clavicle fracture": callus_of_clavicle,
    }
)
