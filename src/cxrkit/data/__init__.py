"""Readers of the two data sets, the index, the image store, batches and the synthetic twin."""
