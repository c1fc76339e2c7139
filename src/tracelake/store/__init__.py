"""Floor 2: the hot store. `api` is the seam; SQLite and PostgreSQL stand behind it in one code."""
