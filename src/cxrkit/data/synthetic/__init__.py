"""Synthetic chest films with findings, questions and answers, in the layout of the two real data sets."""

from cxrkit.data.synthetic.defects import DEFECTS
from cxrkit.data.synthetic.writer import SyntheticSummary, write_dataset

__all__ = ["DEFECTS", "SyntheticSummary", "write_dataset"]
