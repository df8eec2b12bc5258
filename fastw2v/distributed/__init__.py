"""Training on several machines: replicas train parts of a corpus and combine their changes after every round."""

from fastw2v.distributed.connection import Connection
from fastw2v.distributed.text import DistributedCorpus

__all__ = ["Connection", "DistributedCorpus"]
