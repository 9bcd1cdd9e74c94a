"""What a model says about its probabilities: on disk and in words."""

import doctest
import json

import pytest

from cxrkit.errors import ArtifactError
from cxrkit.models import calibration
from cxrkit.models.calibration import ClassCalibration, ModelCalibration, ScoreGroup

EDEMA = ClassCalibration(0.31, 1.5, 100, 28, (ScoreGroup(0.4, 50, 4), ScoreGroup(1.0, 50, 24)))
FRACTURE = ClassCalibration(None, None, 100, 0, (ScoreGroup(1.0, 100, 0),))
WHOLE = ModelCalibration("validate", "studies", {"classifier": {"Edema": EDEMA, "Fracture": FRACTURE}}, {})


def test_it_survives_the_disk(tmp_path):
    assert ModelCalibration.load(tmp_path) is None
    WHOLE.save(tmp_path)
    assert ModelCalibration.load(tmp_path) == WHOLE


def test_it_says_what_a_probability_means():
    assert doctest.testmod(calibration).failed == 0
    assert WHOLE.describe("classifier", "Edema", 0.2) == (
        "0.20; positive above 0.31; of 50 validation studies scored like this 8 % were positive"
    )
    assert "positive above" not in WHOLE.describe("classifier", "Fracture", 0.2)
    assert WHOLE.describe("classifier", "Pneumonia", 0.2) is None
    assert WHOLE.describe("binary", "yes", 0.2) is None


@pytest.mark.parametrize("damage", ["{", "[]", '{"schema_version": 9}', '{"schema_version": 1, "heads": 3}'])
def test_a_damaged_file_is_told(tmp_path, damage):
    (tmp_path / "calibration.json").write_text(damage)
    with pytest.raises(ArtifactError, match="cannot be read") as caught:
        ModelCalibration.load(tmp_path)
    assert "copy the model folder again" in str(caught.value)


def test_no_number_is_written_that_json_does_not_know(tmp_path):
    broken = ModelCalibration("validate", "studies", {}, {"binary": float("nan")})
    broken.save(tmp_path)
    assert json.loads((tmp_path / "calibration.json").read_text())["head_temperatures"] == {"binary": None}
