"""Floor 5: the command line. One file a command."""
