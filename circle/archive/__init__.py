"""The archive: digest, tags, columns and imports; nothing valuable scrolls away."""
