"""`python -m cxrkit.hardware`: the historical name of `cxrkit hardware`."""

import sys

from cxrkit.cli import main

if __name__ == "__main__":
    main(["hardware", *sys.argv[1:]])
