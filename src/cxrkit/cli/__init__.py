"""The verbs of the command line and their exit codes; everything heavy is imported inside a command.

Exit codes: 0 done; 1 the data is not ready for training (`analyze`); 2 a mistake that the user can
mend; 130 interrupted.
"""

from cxrkit.cli.main import main

__all__ = ["main"]
