"""Figures of a model on an external question set, from the table of its answers alone."""

from cxrkit.evaluation.transfer.publish import TransferResult, publish_transfer, require_free_transfer

__all__ = ["TransferResult", "publish_transfer", "require_free_transfer"]
