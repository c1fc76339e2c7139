"""Floor 3: Delta tables of traces and spans: their schemas, sync, compaction, SQL over them."""
