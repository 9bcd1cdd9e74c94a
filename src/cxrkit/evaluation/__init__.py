"""Phase 3: prediction tables to scores, intervals, comparisons with controls, and a report.

`run` predicts and needs a model; everything else works on `predictions.parquet` alone.
"""
