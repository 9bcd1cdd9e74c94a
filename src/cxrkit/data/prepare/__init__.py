"""From the two data sets to a finished workspace: index and films, or a clear error."""

from cxrkit.data.prepare.ensure import ensure_workspace
from cxrkit.data.prepare.estimate import Estimate
from cxrkit.data.prepare.run import DEFAULT_STORE_SIZE, PreparedSummary, prepare_workspace

__all__ = ["DEFAULT_STORE_SIZE", "Estimate", "PreparedSummary", "ensure_workspace", "prepare_workspace"]
