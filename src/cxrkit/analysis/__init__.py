"""Phase 1: is the data ready, what is in it, what is biased."""

from cxrkit.analysis.remarks import Remark, Thresholds
from cxrkit.analysis.report import AnalysisReport, analyze

__all__ = ["AnalysisReport", "Remark", "Thresholds", "analyze"]
