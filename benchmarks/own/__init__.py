"""Tasks of a user's own data: derive from one of these classes and say where the data are."""

from benchmarks.own.images import ImageData
from benchmarks.own.retrieval import RetrievalData
from benchmarks.own.texts import TextData
from benchmarks.own.vectors import VectorData

__all__ = ["ImageData", "RetrievalData", "TextData", "VectorData"]
