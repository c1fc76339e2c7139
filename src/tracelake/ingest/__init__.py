"""Floor 3: spans in. Admit, decode, normalise, commit; the answer goes out after the commit."""
