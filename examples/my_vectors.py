"""A task of my own vectors, to begin from: scikit-learn's measurements of cell nuclei."""

from sklearn.datasets import load_breast_cancer

from benchmarks.own import VectorData


class MyTask(VectorData):
    title = "Cell nuclei"
    # A .csv, .tsv, .parquet or .npz beside this file takes the place of rows():
    # path, label = "cells.csv", "diagnosis"

    def rows(self):
        found = load_breast_cancer(as_frame=True)
        return found.data.assign(label=found.target_names[found.target])
