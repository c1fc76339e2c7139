"""Floor 3: traces out. Search, one trace, its spans, sessions, metrics, tags and assessments."""
