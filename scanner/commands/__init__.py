"""One file a command: options in, an exit code out. `scanner.cli` calls them."""
