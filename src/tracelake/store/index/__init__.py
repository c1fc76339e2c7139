"""The index over traces: which of them have a tag's value, a model, a word (decision 008).

It follows the store by change number. A segment is immutable and covers the changes first_seq to
last_seq; what is newer is the tail, which a search reads from the tables themselves.
"""
