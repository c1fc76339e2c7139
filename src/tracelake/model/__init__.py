"""Floor 1: what a trace is. Entities, the search grammar, semantic conventions, errors; no I/O."""
