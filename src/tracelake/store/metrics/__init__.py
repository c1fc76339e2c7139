"""Metrics over time: rows of traces, spans and assessments to groups, exactly (decision 008).

What the index knows is read from its columns, for spans as sums by the hour where that is enough;
the rest, and a store without an index, from the tables. Both give the same numbers.
"""
