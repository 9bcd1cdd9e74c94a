"""Phase 1: is the data ready, what is in it, what is biased."""

from cxrkit.analysis.remarks import TASKS, Remark, Task, Thresholds
from cxrkit.analysis.report import AnalysisReport, analyze

__all__ = ["TASKS", "AnalysisReport", "Remark", "Task", "Thresholds", "analyze"]
