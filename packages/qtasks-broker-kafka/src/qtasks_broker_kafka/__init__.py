"""Kafka as a broker of QTasks."""

from qtasks_broker_kafka._version import __version__
from qtasks_broker_kafka.codec import key

__all__ = ["__version__", "key"]
