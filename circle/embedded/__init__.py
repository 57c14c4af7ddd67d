"""PostgreSQL, Valkey and S3 from wheels, under one data folder: for `circle up`, tests and demos."""

from circle.embedded.datafolder import DataFolderBusyError
from circle.embedded.engines import ALL, Engines, start_engines, stop_engines
from circle.embedded.processes import EngineError

__all__ = ["ALL", "DataFolderBusyError", "EngineError", "Engines", "start_engines", "stop_engines"]
