"""Prepares the data sets: the historical name of `cxrkit prepare`, with the same options."""

import sys

from cxrkit.cli import main

if __name__ == "__main__":
    main(["prepare", *sys.argv[1:]])
