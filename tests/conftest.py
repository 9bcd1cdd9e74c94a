"""One tiny synthetic data set and its workspace for the whole session."""

from pathlib import Path

import hypothesis
import pytest

# Tests share a machine with others: how long an example takes says nothing.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")
PATIENTS, IMAGE_SIZE, STORE_SIZE = 24, 192, 96


@pytest.fixture(scope="session")
def synthetic_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Root of a synthetic data set with `mimic-cxr-jpg/` and `mimic-ext-cxr-qba/`; never change it."""
    from cxrkit.data.synthetic import write_dataset

    root = tmp_path_factory.mktemp("synthetic") / "data"
    write_dataset(root, patients=PATIENTS, seed=3, image_size=IMAGE_SIZE)
    return root


@pytest.fixture(scope="session")
def workspace(synthetic_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace prepared from the synthetic data set; never change it."""
    from cxrkit.data.prepare import prepare_workspace

    folder = tmp_path_factory.mktemp("prepared") / "workspace"
    prepare_workspace(
        synthetic_root / "mimic-cxr-jpg",
        synthetic_root / "mimic-ext-cxr-qba",
        folder,
        image_store_size=STORE_SIZE,
    )
    return folder
