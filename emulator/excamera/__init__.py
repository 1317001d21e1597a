"""ExCamera's stack on the emulator; the rest of the package knows nothing of ExCamera."""
