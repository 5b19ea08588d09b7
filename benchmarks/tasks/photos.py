"""Photographs at the paper's size: ImageNet, and the long tails of ImageNet, Places and SUN by their published lists.

Data and models lie below the folder that `--data` names; a task's `needs` tells where each is expected. Settings are
this suite's own where nothing else is said: those of the paper are not known.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.core.fingerprint import seed_of
from benchmarks.data.asset import Unavailable
from benchmarks.data.given import Given
from benchmarks.data.listed import Manifest, Photographs, Published, folders, lines_of
from benchmarks.data.splits import Profile
from benchmarks.task import Examples, Size, sided
from benchmarks.tasks.images import ImageTask, crop_and_flip

if TYPE_CHECKING:
    from torch import nn

ILSVRC = Given("imagenet", "image-net.org, ILSVRC2012, train and val by class", "its terms of access", 150.0)
RAE = Given("models/rae", "huggingface.co/nyu-visionx/RAE-dinov2-wReg-base-ViTXL-n08", "the licence on its page", 2.0)
EFFICIENTNET = Given("models/efficientnet_b3", "huggingface.co/timm/efficientnet_b3.ra2_in1k", "Apache-2.0", 0.05)
MOBILENET = Given("models/mobilenetv3", "huggingface.co/timm/mobilenetv3_large_100.ra_in1k", "Apache-2.0", 0.02)
MEASURED, HELD_OUT = 64, 20  # images that the unit of the latents is measured on; validation images a class of ImageNet


class Photos(ImageTask):
    """Derive from one of these to change a model or a place.

    Attributes:
        images: the folder of images. generator_model, labeler_model: folders of models, from the folder of data, or
            ID@REVISION of the hub, with all digits of a commit. tuned: whether the labeler is trained on the task.
        student_model: a name of timm, trained from scratch; pretrained_model: as `labeler_model`, for rows that ask.
        pixels: height and width of images. packed: whether images are decoded once, into one file.
    """

    scale = "paper"
    stand_in = "glyph-lt"
    images: str = ""
    generator_model: str = "models/rae"
    labeler_model: str = "models/efficientnet_b3"
    student_model: str = "mobilenetv3_large_100"
    pretrained_model: str = "models/mobilenetv3"
    tuned: bool = False
    pixels: int = 224
    packed: bool = True
    own = frozenset({"generator", "labeler"})
    augment = staticmethod(crop_and_flip)
    view = staticmethod(crop_and_flip)
    # As Kang et al. 2020 (arXiv 1910.09217) train on ImageNet-LT: 512 samples a step, learning rate 0.2, a cosine.
    training = {"optimiser": "sgd", "weight_decay": 5e-4, "warm_up": 0.05}
    # The latent of RAE has 196,608 dimensions: as long a step as 1 is in the small tasks' 64 is 55 there.
    defaults = {"lr": 0.2, "sigma": 0.5, "step_size": 55.0}
    search = {"lr": [0.05, 0.1, 0.2, 0.4], "sigma": [0.25, 0.5, 1.0, 2.0], "step_size": [55.0, 110.0, 220.0, 440.0]}
    lr = (0.0, 5e-4)

    def __init__(self, student: str = "") -> None:
        """student: another one than the class's, which the name of the task then tells."""
        self.dataset = self.dataset or self.name
        if student:
            self.student_model, width = student, student.rpartition("_")[2]
            self.name, self.title = f"{self.name}-{width}", f"{self.title}, narrower student"
        self.students = {"student": f"{self.student_model}.v1"}
        if not student:
            self.students["pretrained"] = f"{Path(self.pretrained_model).name}-pretrained.v1"
        self.teachers = {"labeler": f"{Path(self.labeler_model).name}-tuned.v1"} if self.tuned else {}
        super().__init__()

    @classmethod
    def all(cls) -> list[Any]:
        return [cls(), cls("mobilenetv3_large_075")]

    def manifest(self) -> Manifest:
        raise NotImplementedError

    def place(self, name: str) -> Path:
        """A file or folder of what the task needs. Raises Unavailable in a line."""
        known = {one.path: one for one in (*self.needs, MOBILENET)}
        return known.get(name, Given(name, "you", "your own", 0)).need()

    def photographs(self) -> Photographs:
        return Photographs(self.dataset, self.manifest(), self.pixels)

    def data(self) -> Examples:
        photographs = self.photographs()
        images, manifest = photographs.images(self.packed), photographs.manifest
        return sided(images, manifest.labels, manifest.side, manifest.names)

    def student(self, classes: int) -> nn.Module:
        from tgt.hub import timm_labeler

        return timm_labeler(self.student_model, pretrained=False, resize=False, num_classes=classes)

    def pretrained(self, classes: int) -> nn.Module:
        return self._had(
            self.pretrained_model, lambda hub, name: hub.timm_labeler(name, resize=False, num_classes=classes)
        )

    def teacher(self, classes: int) -> tuple[nn.Module, nn.Module]:
        labeler = self._had(self.labeler_model, lambda hub, name: hub.timm_labeler(name, num_classes=classes))
        generator = self._had(self.generator_model, lambda hub, name: hub.image_generator(name, self.pixels))
        photographs = self.photographs()  # a few of which are read before all are packed
        taught = np.flatnonzero(photographs.manifest.side == 0)
        seen = photographs.decoded(taught[np.linspace(0, len(taught) - 1, MEASURED).astype(int)])
        return generator.measure(self.tensor(seen)), labeler

    def _had(self, name: str, load: Callable[[Any, str], Any]) -> Any:
        """A model by its folder or by ID@REVISION. Raises Unavailable in a line."""
        from tgt import hub

        where = name if re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", name) else str(self.place(name))
        try:
            return load(hub, where)
        except (OSError, RuntimeError, ValueError, KeyError, ImportError) as error:
            told = str(error).strip().splitlines() or [type(error).__name__]
            raise Unavailable(f"{self.name}: the model {where} cannot be had: {told[0]}") from error

    def fits(self) -> dict[str, Callable[..., dict[str, Any]]]:
        from benchmarks.teachers.image import fit_classifier

        return {"labeler": fit_classifier} if self.tuned else {}


class LongTail(Photos):
    """By published lists of training, validation and test images; the full budget is the training list."""

    lists: tuple[Published, Published, Published]
    lists_in: str = ""
    profile = Profile("published")

    def manifest(self) -> Manifest:
        folder = self.place(self.lists_in)
        return Manifest.of(self.place(self.images), *(one.read(folder) for one in self.lists))

    def at(self, scale: str) -> Any:
        """At a size; where the training list is there, its own length is the budget."""
        other = super().at(scale)
        if count := lines_of(Given(f"{self.lists_in}/{self.lists[0].name}", "", "", 0).where):
            other.sizes = {**self.sizes, scale: replace(self.sizes[scale], budget=count, budgets=(count,))}
        return other


def _lists(folder: str, source: str) -> Given:
    return Given(folder, source, "the licence of its repository", 0.02)


class ImageNetLT(LongTail):
    name = "imagenet-lt"
    kept = ("a pack of imagenet-lt", 28.0)
    title = "ImageNet-LT"
    note = (
        "ImageNet's long tail of Liu et al. 2019: 115,846 images of 1,000 classes, 1,280 to 5 each; balanced test "
        "set of 50,000 (ImageNet's own validation images); the labeler was trained on all of ImageNet"
    )
    images = "imagenet"
    lists_in = "imagenet-lt"
    lists = (
        Published("ImageNet_LT_train.txt", 115_846),  # hash unknown
        Published("ImageNet_LT_val.txt", 20_000, "9af7ba688acf9532ff5845a8fb14a1e97fdc4c51ac48bc72c08ea9c3f7ff142e"),
        Published("ImageNet_LT_test.txt", 50_000, "d1590191cf8a71fada7b1aaedaa2d139a2aea93ff2f1b755319d0bd8dbaa55d5"),
    )
    needs = (ILSVRC, _lists(lists_in, "github.com/facebookresearch/classifier-balancing"), RAE, EFFICIENTNET)
    sizes = {"paper": Size(115_846, (115_846,), steps=20_000, batch=256)}  # 90 epochs of what shows real samples alone


class PlacesLT(LongTail):
    name = "places-lt"
    kept = ("a pack of places-lt", 16.0)
    title = "Places-LT"
    note = (
        "Places' long tail of Liu et al. 2019: 62,500 images of 365 classes, 4,980 to 5 each; balanced test set of "
        "36,500; the labeler, pretrained on ImageNet, is trained on the same list"
    )
    images = "places"
    tuned = True
    lists_in = "places-lt"
    lists = (
        Published("Places_LT_train.txt", 62_500, "726c4871dcbf07ce2f857703bfe32e9a83ffbf52d704239f6d95c4f4f4c247f7"),
        Published("Places_LT_val.txt", 7_300, "719e3cf3766c09134ea28f56f1036c78def511ac1ed2c2532a6beef78f2439ba"),
        Published("Places_LT_test.txt", 36_500, "44eee8441c8098c59195465abede425721bc35525d75209f9433b161a6eb37bc"),
    )
    needs = (
        Given(images, "places2.csail.mit.edu, Places365-Standard, 256 x 256", "its terms of use", 30.0),
        _lists(lists_in, "github.com/facebookresearch/classifier-balancing"), RAE, EFFICIENTNET,
    )  # fmt: skip
    sizes = {"paper": Size(62_500, (62_500,), steps=11_000, batch=256, labeler_steps=10_000)}


class SunLT(LongTail):
    name = "sun-lt"
    kept = ("a pack of sun-lt", 9.0)
    title = "SUN-LT"
    note = (
        "SUN397's long tail: 397 classes; neither length nor hash of its lists is known here: they are taken as "
        "they are; the labeler, pretrained on ImageNet, is trained on the same list"
    )
    images = "sun397"
    tuned = True
    lists_in = "sun-lt"
    lists = (Published("SUN_LT_train.txt"), Published("SUN_LT_val.txt"), Published("SUN_LT_test.txt"))
    needs = (
        Given(images, "vision.princeton.edu/projects/2010/SUN, SUN397", "its terms of use", 37.0),
        _lists(lists_in, "the authors of Wang et al. 2017, Learning to model the tail"), RAE, EFFICIENTNET,
    )  # fmt: skip
    sizes = {"paper": Size(40_000, (40_000,), steps=7_000, batch=256, labeler_steps=6_000)}  # budget: until it is read


class ImageNet(Photos):
    """Fractions of the training images, nested; 20 of each class are for validation: only the full budget uses them."""

    name = "imagenet"
    kept = ("a pack of imagenet", 200.0)
    title = "ImageNet"
    note = "ImageNet (ILSVRC2012), fractions of its training images; its own 50,000 validation images for testing"
    images = "imagenet"
    stand_in = "fashion"
    profile = Profile("natural")
    metric = "accuracy"
    also = ()
    needs = (ILSVRC, RAE, EFFICIENTNET)
    sizes = {
        "paper": Size(
            128_116, (12_811, 64_058, 128_116, 320_291, 640_583, 1_281_167), steps=100_000, batch=256,
            search_budgets=(12_811, 128_116, 1_281_167),
        )
    }  # fmt: skip

    def manifest(self) -> Manifest:
        root = self.place(self.images)
        found = Manifest.of(root, folders(root, "train"), [], folders(root, "val"))
        rng = np.random.default_rng(seed_of("validation", self.dataset))
        for label in range(len(found.names)):
            members = rng.permutation(np.flatnonzero((found.labels == label) & (found.side == 0)))
            found.side[members[:HELD_OUT]] = 1
        return found
