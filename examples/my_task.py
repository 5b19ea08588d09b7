"""A custom task, to begin from: handwritten digits, with a teacher that is made here in two seconds."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from benchmarks.task import Task

TRAIN = 1200  # of 1,797 digits; the rest is for testing
VALIDATION = np.arange(0, TRAIN, 10)  # chooses hyper-parameters: the teacher must not see it


class Pca(nn.Module):
    """The generator: principal components of the training digits."""

    def __init__(self, inputs: torch.Tensor, latent: int = 16) -> None:
        super().__init__()
        mean = inputs.mean(0)
        _, spread, axes = torch.linalg.svd(inputs - mean, full_matrices=False)
        scale = spread[:latent] / len(inputs) ** 0.5
        for name, value in {"mean": mean, "axes": axes[:latent], "scale": scale}.items():
            self.register_buffer(name, value)

    def encode(self, inputs: torch.Tensor) -> torch.Tensor:
        return (inputs - self.mean) @ self.axes.T / self.scale

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return (latents * self.scale) @ self.axes + self.mean

    def sample_prior(self, count: int, rng: torch.Generator) -> torch.Tensor:
        return torch.randn(count, len(self.scale), generator=rng)


class MyTask(Task):
    title = "Handwritten digits"
    note = "scikit-learn's 8x8 digits: 1,200 to train on, 597 for testing"
    domain = "vector"
    budget, budgets = 50, (20, 50, 200)
    steps, batch = 300, 32

    def data(self):
        images, labels = load_digits(return_X_y=True)
        inputs = (images / 16).astype(np.float32)
        return {
            "train_inputs": inputs[:TRAIN],
            "train_labels": labels[:TRAIN],
            "test_inputs": inputs[TRAIN:],
            "test_labels": labels[TRAIN:],
            "validation": VALIDATION,
        }

    def student(self, classes):
        return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, classes))

    def teacher(self, classes):
        data = self.data()
        seen = np.setdiff1d(np.arange(TRAIN), VALIDATION)
        inputs, labels = torch.from_numpy(data["train_inputs"][seen]), torch.from_numpy(data["train_labels"][seen])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            labeler = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, classes))
            optimiser = torch.optim.AdamW(labeler.parameters(), lr=3e-3)
            for _ in range(300):
                index = torch.randint(len(inputs), (128,))
                optimiser.zero_grad()
                F.cross_entropy(labeler(inputs[index]), labels[index]).backward()
                optimiser.step()
        return Pca(inputs), labeler
