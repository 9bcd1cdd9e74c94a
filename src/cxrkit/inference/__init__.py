"""From a saved model to typed answers and prediction tables."""

from cxrkit.inference.classification import predict_classifier
from cxrkit.inference.predictor import Predictor
from cxrkit.inference.questions import predict_vqa

__all__ = ["Predictor", "predict_classifier", "predict_vqa"]
