"""Where blobs come from. Each module is one source; `scanner.cli` chooses among them."""
