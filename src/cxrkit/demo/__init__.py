"""The whole pipeline in one go: data, preparation, analysis, two small models, evaluation, one report."""

from cxrkit.demo.pipeline import DemoResult, run_demo

__all__ = ["DemoResult", "run_demo"]
