"""Every instrumentation convention in use, read into the one model. Raw attributes stay.

`convention` is the record, one file a convention holds its table, `read` applies them in order.
"""
