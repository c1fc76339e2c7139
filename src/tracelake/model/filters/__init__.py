"""The search grammar: `parse` text to a `tree`, `evaluate` a tree on one trace.

The store compiles the same tree to SQL; `evaluate` is what a filter means, and finishes what SQL
cannot decide.
"""
