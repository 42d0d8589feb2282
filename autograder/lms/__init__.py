"""A course's ways into a learning management system and out of it."""
