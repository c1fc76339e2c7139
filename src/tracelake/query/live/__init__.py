"""New and changed traces as server-sent events: one reader a process, many subscribers."""
