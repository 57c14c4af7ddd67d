"""The WSGI entry point."""

from circle.app import create_app
from circle.config import Settings

app = create_app(Settings.from_env())
