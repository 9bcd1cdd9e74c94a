"""An exponential moving average of a network's weights (Polyak and Juditsky, SIAM J. Control Optim. 1992)."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Follows the weights and running statistics of a network, update by update.

    The first updates count more, so that the random start is soon forgotten: after t updates the decay is
    `min(decay, (1 + t) / (10 + t))`.

    Args:
        network: whose weights are followed, in float32, on the device where they are.
        decay: share of the average that an update keeps, 0..1.

    Attributes:
        values: the average by name.
        updates: updates followed so far.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.values = {name: value.detach().clone().float() for name, value in _followed(network).items()}

    @torch.no_grad()
    def follow(self, network: nn.Module) -> None:
        """Takes the weights after an update into the average."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        for name, value in _followed(network).items():
            # The engine moves a network to its device after the average was made.
            self.values[name] = self.values[name].to(value.device).lerp_(value.float(), 1 - decay)

    @torch.no_grad()
    def distance(self, network: nn.Module) -> float:
        """Gives how far the weights are from their average: norm of the difference over the average's."""
        own = _followed(network)
        apart = [(value.float() - self.values[name].to(value.device)).norm() for name, value in own.items()]
        norm = torch.stack([value.norm() for value in self.values.values()]).norm()
        return float(torch.stack(apart).norm() / norm)

    @contextmanager
    def applied(self, network: nn.Module) -> Iterator[None]:
        """Puts the average into the network for a while; its own weights come back afterwards."""
        own = {name: value.clone() for name, value in _followed(network).items()}
        _put(network, self.values)
        try:
            yield
        finally:
            _put(network, own)

    def state(self) -> dict[str, Tensor]:
        """Gives the average and the number of updates, for a checkpoint."""
        return {**self.values, "#updates": torch.tensor(self.updates)}

    def load(self, state: dict[str, Tensor]) -> None:
        """Goes on from `state`.

        Raises:
            KeyError: it is of another network.
        """
        rest = dict(state)
        self.updates = int(rest.pop("#updates"))
        if rest.keys() != self.values.keys():
            raise KeyError(sorted(rest.keys() ^ self.values.keys())[:3])
        for name, value in rest.items():
            self.values[name].copy_(value)


def _followed(network: nn.Module) -> dict[str, Tensor]:
    """Gives weights and running statistics; counters are whole numbers and stay the network's own."""
    return {
        name: value
        for name, value in network.state_dict(keep_vars=False).items()
        if value.is_floating_point()
    }


@torch.no_grad()
def _put(network: nn.Module, values: dict[str, Tensor]) -> None:
    for name, value in _followed(network).items():
        value.copy_(values[name])
