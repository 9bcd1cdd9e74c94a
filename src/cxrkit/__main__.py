"""`python -m cxrkit`: the same as the program `cxrkit`."""

from cxrkit.cli import main

if __name__ == "__main__":
    main()
