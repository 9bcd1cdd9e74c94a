"""From a saved model to typed answers and prediction tables."""
