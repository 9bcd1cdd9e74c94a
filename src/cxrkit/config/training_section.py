"""The sections `training`, `wandb` and `deepspeed`: how a model is trained, tracked and spread."""

from pathlib import Path

from pydantic import Field

from cxrkit.config import values
from cxrkit.config.section import Section


class CommonTrainingSettings(Section):
    """What the training of both tasks shares."""

    output_dir: values.PathSetting = Field(
        default=Path("checkpoints/mimic-cxr-vqa"),
        description="folder of the run: checkpoints, best model, metrics",
    )
    batch_size_per_gpu: values.Count = Field(default=16, description="films per step and device")
    gradient_accumulation_steps: values.Count = Field(
        default=4, description="steps summed before each update"
    )
    learning_rate: values.Positive = Field(
        default=5e-5, description="highest learning rate, after the warm-up"
    )
    learning_rate_batch: values.CountOrNone = Field(
        default=None,
        description="films per update that learning_rate is meant for: it is scaled in proportion to those "
        "there are (batch, accumulation and processes together); null = taken as it is",
    )
    lr_scheduler_type: values.LrSchedule = Field(
        default="linear", description="how it falls after the warm-up"
    )
    weight_decay: values.NotNegative = Field(default=0.01, description="AdamW weight decay")
    warmup_ratio: values.Fraction = Field(default=0.1, description="share of all updates spent warming up")
    max_grad_norm: values.Positive = Field(default=1.0, description="gradients are clipped to this norm")
    num_epochs: values.Count = Field(default=20, description="passes over the training studies")
    max_steps: values.StepLimit = Field(
        default=-1, description="stop after so many updates; -1 = by num_epochs"
    )
    budget_hours: values.PositiveOrNone = Field(
        default=None,
        description="as many updates as fit into so many hours, by some real ones, in place of num_epochs "
        "and max_steps; null = by these",
    )
    fp16: values.Switch = Field(
        default=True,
        description="train in half precision where the device can; bf16 is taken where the GPU has it",
    )
    gradient_checkpointing: values.Switch = Field(
        default=True, description="recompute activations instead of keeping them: less memory, more time"
    )
    logging_steps: values.Count = Field(default=100, description="updates between two log lines")
    eval_steps: values.Count = Field(default=2500, description="updates between two validations")
    save_steps: values.Count = Field(default=5000, description="updates between two checkpoints")
    save_epochs: values.CountOrZero = Field(
        default=0, description="passes over the films between two checkpoints; 0 = by save_steps"
    )
    save_total_limit: values.Count = Field(
        default=5, description="checkpoints kept; the best model is always kept"
    )
    resume_from_checkpoint: values.TextOrNone = Field(
        default=None,
        description="go on from a checkpoint: its path, or auto for the newest whole one of output_dir, "
        "from the start when there is none; null = a new run",
    )
    ema_decay: values.Decay = Field(
        default=0.0,
        description="keep a moving average of the weights, validated and saved beside them; 0 = none, "
        "0.9999 is usual for long trainings",
    )
    freeze_backbone_epochs: values.CountOrZero = Field(
        default=0,
        description="passes over the films in which the visual backbone keeps its weights; 0 = none",
    )
    metric_for_best_model: values.Text = Field(
        default="accuracy", description="validation metric that chooses the best model"
    )
    max_skipped_steps: values.Count = Field(
        default=3,
        description="updates in a row that are skipped for a loss or gradient that is not finite before "
        "training stops",
    )
    silent_process_seconds: values.Seconds = Field(
        default=45.0,
        description="of several processes, one that does not answer for so long is named, and the others end",
    )
    early_stopping_patience: values.CountOrZero = Field(
        default=5, description="validations without improvement before training stops; 0 = never stop early"
    )
    dataloader_num_workers: values.CountOrZero = Field(default=8, description="processes that load batches")
    dataloader_persistent_workers: values.Switch = Field(
        default=True, description="these processes stay from one pass over the films to the next"
    )
    dataloader_pin_memory: values.Switch = Field(
        default=True, description="page-locked batches, faster to the GPU"
    )
    hub_model_id: values.TextOrNone = Field(
        default=None, description="Hugging Face repository for the weights"
    )
    hub_push: values.HubPush = Field(
        default="end",
        description="when the best model is sent there: at the end of training; best and checkpoint: also "
        "whenever there is a better one, or at each checkpoint",
    )
    hub_private: values.Switch = Field(
        default=True, description="only a private repository is made or written to"
    )
    hub_license: values.TextOrNone = Field(
        default=None,
        description="license named in the model card, such as other; null = none, it is yours to decide",
    )
    seed: values.Seed = Field(default=42, description="seed of every random choice")
    deterministic: values.Switch = Field(
        default=False,
        description="only computations that give the same bits each time, also on a GPU: slower; what has "
        "none ends the training",
    )
    torch_compile: values.Switch = Field(
        default=False, description="compile the network with PyTorch's compiler: minutes first, faster then"
    )
    channels_last: values.Switch = Field(
        default=False, description="films and convolutions in channels-last order: faster on tensor cores"
    )


class TrainingSettings(CommonTrainingSettings):
    """How the VQA network is trained."""

    vqa_loss_weight: values.NotNegative = Field(default=1.0, description="weight of the answer heads' losses")
    chexpert_loss_weight: values.NotNegative = Field(
        default=0.3, description="weight of the 14-label auxiliary loss"
    )
    chexpert_blank: values.BlankLabels = Field(
        default="masked", description="labels the report does not mention: left out of that loss, or negative"
    )
    scene_graph_loss_weight: values.NotNegative = Field(
        default=1.0, description="weight of the scene-graph losses"
    )
    grounding_loss_weight: values.NotNegative = Field(default=0.5, description="weight of the grounding loss")
    oracle_warmup_steps: values.CountOrZero = Field(
        default=0,
        description="updates over which films see the data set's own graph, a share that falls from all to "
        "none; 0 = never",
    )
    other_sources_share: values.ShareOfFilms = Field(
        default=0.0,
        description="share of training films whose graph comes from the other sources in turn, so that one "
        "model can be evaluated under each of them",
    )


class ClassifyTrainingSettings(CommonTrainingSettings):
    """How the classifier is trained."""

    output_dir: values.PathSetting = Field(
        default=Path("checkpoints/mimic-cxr-classifier"),
        description="folder of the run: checkpoints, best model, metrics",
    )
    metric_for_best_model: values.Text = Field(
        default="mean_auroc", description="validation metric that chooses the best model"
    )
    pos_weight: values.PositiveWeights = Field(
        default=None,
        description="weight of the positives in the loss; balanced = negatives / positives of the training "
        "films, by finding; findings not named have 1",
    )
    layer_decay: values.LayerDecay = Field(
        default=1.0,
        description="factor on the learning rate from each layer to the one before it; 1 = one rate for all",
    )


class WandbSettings(Section):
    """Tracking with Weights & Biases: single numbers and settings without paths only."""

    enabled: values.Switch = Field(
        default=True, description="log to W&B when it is installed; offline as long as no key is set"
    )
    project: values.Text = Field(default="mimic-cxr-vqa", description="name of the W&B project")
    name: values.TextOrNone = Field(
        default=None, description="name of the run; null = that of the run's folder"
    )
    group: values.TextOrNone = Field(default=None, description="runs that belong together")
    tags: values.Texts = Field(default=(), description="marks to find runs by")


class DeepspeedSettings(Section):
    """DeepSpeed, taken when there are several GPUs."""

    enabled: values.Switch = Field(default=True, description="use DeepSpeed when there are several GPUs")
    config_path: values.PathSetting = Field(
        default=Path("configs/deepspeed_config.json"), description="DeepSpeed's own configuration"
    )
    stage: values.ZeroStage = Field(
        default=2,
        description="ZeRO stage: what is divided among the GPUs; at most 2, for 3 divides the model itself",
    )
