"""People: identities, sessions, personal tokens, one-time codes."""
