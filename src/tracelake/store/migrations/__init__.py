"""Alembic scripts, one file a schema change."""
