"""Pure functions over arrays: each metric with its definition, range, unit and source.

Import from the modules: `classification`, `ranking`, `counts`, `text`, `spatial`, `statistics`.
"""
