"""Circle: a self-hosted backend for paid knowledge circles."""

__version__ = "0.1.0"
