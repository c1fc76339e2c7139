"""Floor 3: webhooks are told of events: where they may be, what is sent, when it is tried again."""
