"""Metrics of explanations: where attention lies, and what happens when its patches are taken away."""
