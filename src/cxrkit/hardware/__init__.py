"""What this machine has, and what follows for training: each choice with its reason."""

from cxrkit.hardware.choices import choose_device, choose_precision
from cxrkit.hardware.inventory import (
    GIBIBYTE,
    Gpu,
    Hardware,
    assumed_hardware,
    detect_hardware,
    usable_cores,
)
from cxrkit.hardware.plan import Choice, Plan, make_plan, planned_settings

__all__ = [
    "GIBIBYTE",
    "Choice",
    "Gpu",
    "Hardware",
    "Plan",
    "assumed_hardware",
    "choose_device",
    "choose_precision",
    "detect_hardware",
    "make_plan",
    "planned_settings",
    "usable_cores",
]
