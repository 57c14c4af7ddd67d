"""Media: uploads straight to object storage, checked by content, served by short-lived links."""
