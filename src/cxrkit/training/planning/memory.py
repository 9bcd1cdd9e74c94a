"""The memory that a training takes on a device, estimated from what a trial kept."""

from dataclasses import dataclass

from cxrkit.training.planning.sizes import MOMENT_BYTES, Sizes
from cxrkit.training.planning.trial import Trial

GRADIENT_BYTES = 4
# CUDA itself, and the work space of its kernels.
CONTEXT_BYTES = 1 * 2**30


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes on each device.

    Attributes:
        states: weights, their average, gradients and the optimizer's moments.
        activations: kept for the backward pass of one batch.
    """

    states: int
    activations: int

    @property
    def total(self) -> int:
        """Everything together, without what CUDA takes for itself."""
        return self.states + self.activations


def estimate_memory(
    sizes: Sizes, trial: Trial, *, has_average: bool, divided_among: int, is_half_precision: bool
) -> MemoryEstimate:
    """Adds up.

    Args:
        sizes: of the training.
        trial: of it, on this machine.
        has_average: a moving average of the weights is kept.
        divided_among: ZeRO divides gradients and moments among so many processes; 1 = it does not.
        is_half_precision: of the machine that is planned for, where the trial was in single precision.
    """
    divided = (GRADIENT_BYTES + MOMENT_BYTES) * sizes.trained // divided_among
    states = sizes.weight_bytes * (2 if has_average else 1) + divided
    return MemoryEstimate(states, trial.activation_bytes // (2 if is_half_precision else 1))


def fitting_batch(estimate: MemoryEstimate, batch_size: int, gpu_bytes: int) -> int:
    """Gives the films per batch that fit, at most `batch_size`; 0 when not even the weights do.

    >>> fitting_batch(MemoryEstimate(2**30, 16 * 2**30), 16, 10 * 2**30)
    8
    """
    free = gpu_bytes - CONTEXT_BYTES - estimate.states
    return max(0, min(batch_size, free * batch_size // max(1, estimate.activations)))
