"""Background work: each job is a thin shell that opens units of work and calls use cases of `circle`."""
