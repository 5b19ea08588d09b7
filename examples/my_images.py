"""A task of my own images, to begin from: scikit-learn's handwritten digits."""

from sklearn.datasets import load_digits

from benchmarks.own import ImageData


class MyTask(ImageData):
    title = "Handwritten digits"
    side = 16  # pixels of a side, a multiple of 4
    # A folder with one folder of images for each class, beside this file, takes the place of rows():
    # path = "photos"

    def rows(self):
        digits = load_digits()
        return {"image": list((digits.images * 15).astype("uint8")), "label": digits.target}
