"""Floor 2: what runs in the user's process. Spans, context, delivery, reading back; no server."""
