"""How the tests of the command line call it, and the settings of the smallest model."""

import pytest

from cxrkit.cli import main


@pytest.fixture
def call(capsys, monkeypatch, tmp_path):
    """Runs a command line in an empty folder; gives exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def call(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        return int(ended.value.code or 0), captured.out, captured.err

    return call


@pytest.fixture(scope="session")
def tiny_settings() -> str:
    """A VQA model that trains one update in a second."""
    return """
model: {visual_backbone: resnet10t, pretrained: false, text_encoder: scratch:tiny, visual_feature_dim: 16,
        visual_patches: 2, hidden_size: 16, intermediate_size: 16, num_hidden_layers: 1,
        num_attention_heads: 2, sim_layers: 1, max_question_length: 32}
data: {image_size: 32, quality_grade: B, questions_per_image: 2, max_samples: 8}
training: {batch_size_per_gpu: 4, gradient_accumulation_steps: 1, max_steps: 1, gradient_checkpointing: false,
           dataloader_num_workers: 0, dataloader_pin_memory: false}
wandb: {enabled: false}
deepspeed: {enabled: false}
"""
