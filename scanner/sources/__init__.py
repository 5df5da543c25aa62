"""Where blobs come from. Each module is one source; `scanner.commands` chooses among them."""
