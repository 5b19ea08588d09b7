"""Characters of many fonts, with an exponential long tail: hundreds of classes, and families of fonts unseen so far."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.core.fingerprint import seed_of
from benchmarks.data.corruptions import corrupted_test
from benchmarks.data.fonts import GLYPHS
from benchmarks.data.splits import Profile
from benchmarks.task import Examples, Size
from benchmarks.tasks.images import SMOKE, ImageTask, shift

#: Characters that are one class, for in these fonts they look alike. The rule: a labeler was trained on one half of the
#: training families, each character a class, and asked about the other half; two characters are joined where it took
#: one for the other in 15 % of the images, the mean of both directions, and with them what either is joined with.
#: Validation and test families had no part in it.
ALIKE = ("-\u00ad", "0O", "Il", "i¡", "°º", "Íĺ", "ÐĐ", "ĔĚ", "ĕě", "ġģ")
#: Shares of the families.
TEST, VALIDATION = 0.3, 0.1


class GlyphLT(ImageTask):
    name = "glyph-lt"
    title = "Characters of many fonts, long tail"
    note = (
        "316 characters drawn at 28x28 in 114 families of free fonts; 306 classes, for look-alikes are joined; "
        "exponential imbalance (ratio 50: 100 to 2 images a class); split by family: 85,595 images of 69 families to "
        "train on, one image a class of 11 more for validation (2,626) and of 34 more for testing (9,053)"
    )
    dataset = "glyph"
    profile = Profile("exponential", ratio=50.0)
    also = ("medium_shot", "few_shot")
    sizes = {
        "smoke": replace(SMOKE, budget=1000, budgets=(1000,)),
        "small": Size(
            budget=7544, budgets=(3701, 7544, 15231), steps=1000, batch=64, labeler_steps=3500, generator_steps=2800
        ),
    }
    students = {"student": "cnn-24-48-96.v1"}
    teachers = {"generator": "vae-64-32.v3", "labeler": "resnet-16.v1"}
    augment = staticmethod(shift)
    _widths = (24, 48, 96)

    def data(self) -> Examples:
        """Training, validation and test families, the same for all seeds: none stands on two sides, nor does a face.

        Of a validation or test family each class has one image, of any of its faces: as many samples as families, none
        of them near another, and none that a training family draws to the pixel. Which classes are frequent is drawn
        once, for in the order of code points the rare ones would all be letters with accents.
        """
        arrays = GLYPHS.load()
        names, labels = classes_of(arrays["characters"])
        families = arrays["families"].astype(np.int64)
        rng = np.random.default_rng(seed_of("validation", "glyph"))
        order = rng.permutation(families.max() + 1)
        test, validation, train = np.split(order, (len(order) * np.array([TEST, TEST + VALIDATION])).astype(int))
        taught = np.flatnonzero(np.isin(families, train))
        pixels = [image.tobytes() for image in arrays["images"]]
        known = {pixels[index] for index in taught}
        held_out, tested = (
            np.array([index for index in one_a_class(families, labels, side, rng) if pixels[index] not in known])
            for side in (validation, test)
        )
        images = arrays["images"][:, None]
        pool = np.concatenate([taught, held_out])
        return Examples(
            pool_inputs=images[pool],
            pool_labels=labels[pool],
            validation=np.arange(len(taught), len(pool)),
            test_inputs=images[tested],
            test_labels=labels[tested],
            other_tests={"corrupted": corrupted_test(images[tested], labels[tested], seed_of("corrupted", "glyph"))},
            class_names=names,
        )


def classes_of(characters: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of the classes, the most frequent first, and the class of each image (N,) from its code point (N,)."""
    codes = np.unique(characters)
    joined = {ord(one): alike for alike in ALIKE for one in alike}
    name = {code: joined.get(code, chr(code)) for code in codes.tolist()}
    rng = np.random.default_rng(seed_of("classes", "glyph"))
    names = rng.permutation(sorted(set(name.values()))).tolist()
    label = np.zeros(codes.max() + 1, np.int64)
    label[codes] = [names.index(name[code]) for code in codes.tolist()]
    return tuple(names), label[characters]


def one_a_class(families: np.ndarray, labels: np.ndarray, side: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Indices of one image, drawn at random, of each family of a side and each class."""
    images = rng.permutation(np.flatnonzero(np.isin(families, side)))
    pairs = families[images] * (labels.max() + 1) + labels[images]
    return images[np.unique(pairs, return_index=True)[1]]
