"""Operators that PyTorch does not have."""
