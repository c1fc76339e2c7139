"""Floor 3: who may do what. One local user holds every permission until there are accounts."""
