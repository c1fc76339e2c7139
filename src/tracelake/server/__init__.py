"""Floor 4: composition. Settings, the app, who may enter, errors to HTTP, background work, UI."""
