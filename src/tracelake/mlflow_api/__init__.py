"""Floor 3: MLflow's wire protocol over the same services as our own API.

A file a noun. `router.py` puts them under the addresses that MLflow's clients and its UI ask,
`route.py` answers errors as they expect, `flavour.py` tells the clients of a workspace from others.
"""
