"""`python -m scanner` is `keyleash`."""

import sys

from scanner.cli import main

if __name__ == "__main__":
    sys.exit(main())
