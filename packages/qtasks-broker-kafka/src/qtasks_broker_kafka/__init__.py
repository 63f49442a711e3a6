"""Kafka as a broker of QTasks: tasks that end in any order, and not one of them lost."""

from qtasks_broker_kafka._version import __version__
from qtasks_broker_kafka.broker import KafkaBroker
from qtasks_broker_kafka.codec import key
from qtasks_broker_kafka.counting import PartitionStats
from qtasks_broker_kafka.dead_letters import DeadLetterTopic
from qtasks_broker_kafka.options import Options

__all__ = ["DeadLetterTopic", "KafkaBroker", "Options", "PartitionStats", "__version__", "key"]
