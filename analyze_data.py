"""Phase 1, analyzes the data: the historical name of `cxrkit analyze`, with the same options."""

import sys

from cxrkit.cli import main

if __name__ == "__main__":
    main(["analyze", *sys.argv[1:]])
