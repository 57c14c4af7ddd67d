"""Members: joining, roles, the permission table, access (grants), moderation of people."""
