"""Pictures and sound: sources, containers, the chunk encoder, joining, quality."""
