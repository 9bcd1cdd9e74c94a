"""The moving average of the weights, against its formula."""

import pytest
import torch

from cxrkit.training.weight_average import WeightAverage


@pytest.fixture
def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))


def changed(network):
    with torch.no_grad():
        for weight in network.parameters():
            weight += torch.randn_like(weight)
    network.train()(torch.randn(8, 3))


def test_it_follows_weights_and_running_statistics_with_a_warm_up(network):
    average = WeightAverage(network, decay=0.5)
    expected = {name: value.clone() for name, value in network.state_dict().items()}
    for update in range(12):
        changed(network)
        decay = min(0.5, (1 + update) / (10 + update))
        average.follow(network)
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                expected[name] = decay * expected[name] + (1 - decay) * value
    assert average.values.keys() == expected.keys() - {"1.num_batches_tracked"}
    for name, value in average.values.items():
        torch.testing.assert_close(value, expected[name])


def test_the_networks_own_weights_come_back_bit_by_bit_even_after_an_error(network):
    average = WeightAverage(network, decay=0.9)
    changed(network)
    average.follow(network)
    before = {name: value.clone() for name, value in network.state_dict().items()}

    def fail():
        with average.applied(network):
            assert torch.equal(network[0].weight, average.values["0.weight"])
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_it_goes_on_from_its_state(network):
    one = WeightAverage(network, decay=0.9)
    changed(network)
    one.follow(network)
    two = WeightAverage(network, decay=0.9)
    two.load(one.state())
    changed(network)
    for average in (one, two):
        average.follow(network)
    assert one.updates == two.updates == 2
    assert all(torch.equal(value, two.values[name]) for name, value in one.values.items())
    with pytest.raises(KeyError):
        two.load({"another": torch.zeros(1), "#updates": torch.tensor(1)})


def test_it_moves_with_the_network(network):
    average = WeightAverage(network, decay=0.9)
    average.follow(network.to("meta"))
    assert {value.device.type for value in average.values.values()} == {"meta"}
