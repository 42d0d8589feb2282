"""What people type: a function a command, by who types it, with what it takes above it."""
