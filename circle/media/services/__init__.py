"""Use cases of media: uploading, attaching, processing by a worker, deleting."""
