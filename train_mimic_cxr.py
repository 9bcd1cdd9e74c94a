"""Phase 2, trains the VQA model: the historical name of `cxrkit train vqa`, with the same options."""

import sys

from cxrkit.cli import main

if __name__ == "__main__":
    main(["train", "vqa", *sys.argv[1:]])
