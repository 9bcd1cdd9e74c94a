"""From the index and the image store to batches of B films and N questions."""
