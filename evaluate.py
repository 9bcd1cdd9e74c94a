"""Phase 3, evaluates a model: the historical name of `cxrkit evaluate`, with the same options."""

import sys

from cxrkit.cli import main

if __name__ == "__main__":
    main(["evaluate", *sys.argv[1:]])
