"""Where the log of a training goes besides `metrics.jsonl`: its speed, TensorBoard, Weights & Biases."""

from cxrkit.training.tracking.trackers import open_trackers
from cxrkit.training.tracking.tracking import Tracker, Tracking

__all__ = ["Tracker", "Tracking", "open_trackers"]
