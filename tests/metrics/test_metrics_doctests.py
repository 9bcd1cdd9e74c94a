"""The examples in the docstrings of the metrics hold."""

import doctest
import importlib
import pkgutil

import pytest

import cxrkit.metrics
import cxrkit.vocabulary

MODULES = [
    f"{package.__name__}.{found.name}"
    for package in (cxrkit.metrics, cxrkit.vocabulary)
    for found in pkgutil.iter_modules(package.__path__)
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
