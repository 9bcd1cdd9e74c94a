"""Short trainings whose models are published, and a stand-in for the hub."""

import pytest
from published_runs import SHORT


@pytest.fixture(scope="module")
def vqa_run(workspace, tmp_path_factory):
    """Folder of a short training."""
    from test_training_runs import vqa_settings

    from cxrkit.training.vqa import train_vqa

    return train_vqa(vqa_settings(workspace, tmp_path_factory.mktemp("vqa") / "run", **SHORT)).run_dir


@pytest.fixture(scope="module")
def classifier_run(workspace, tmp_path_factory):
    """Folder of a short training."""
    from test_training_runs import classify_settings

    from cxrkit.training.classify import train_classifier

    run_dir = tmp_path_factory.mktemp("classify") / "run"
    return train_classifier(classify_settings(workspace, run_dir, **SHORT)).run_dir


@pytest.fixture
def no_token(monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    monkeypatch.setattr("huggingface_hub.constants.HF_STORED_TOKENS_PATH", str(tmp_path / "none"))


@pytest.fixture
def hub(monkeypatch):
    """A stand-in that this process and those it starts take for the hub."""
    from hub_server import serve

    hub, server = serve()
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
    # Its storage is the one of git LFS.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    for name, value in {
        "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0", "HF_TOKEN": hub.token,
        "NO_PROXY": "127.0.0.1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    yield hub
    server.shutdown()
