"""`python -m scanner` is `keyleash`."""

from scanner.cli import entry

if __name__ == "__main__":
    entry()
