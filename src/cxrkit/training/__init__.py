"""Phase 2: the thin adapter to the training engine."""
