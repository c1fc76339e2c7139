"""The demo: a support agent for an outdoor shop, deployed as any user's, and its customers.

`support_agent` holds the files that are deployed; it is no package, because that is how a user's
agent file and the modules beside it look.
"""
