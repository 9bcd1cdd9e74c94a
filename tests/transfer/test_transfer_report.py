"""Where the results of a transfer go."""

import json

import pytest

from cxrkit.errors import ArtifactError
from cxrkit.evaluation.transfer import require_free_transfer


def test_results_of_another_model_are_kept(tmp_path):
    own = {"dataset": "slake", "split": "test", "checkpoint": "first"}
    require_free_transfer(tmp_path, own, overwrite=False)
    (tmp_path / "transfer_report.json").write_text(json.dumps(own))
    require_free_transfer(tmp_path, own, overwrite=False)
    other = own | {"checkpoint": "second"}
    with pytest.raises(ArtifactError, match="checkpoint first"):
        require_free_transfer(tmp_path, other, overwrite=False)
    require_free_transfer(tmp_path, other, overwrite=True)
    (tmp_path / "transfer_report.json").write_text("{")
    with pytest.raises(ArtifactError, match="holds other results"):
        require_free_transfer(tmp_path, own, overwrite=False)
