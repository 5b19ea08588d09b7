"""TGT in a plain PyTorch loop, with a labeler and a generator from the Hugging Face hub or from folders.

    python examples/huggingface_loop.py --labeler google/mobilenet_v2_1.0_224 --generator stabilityai/sd-vae-ft-mse

Both may be local folders. The images are random here: put your own in their place.
"""

import argparse

import torch
from torch import nn

from tgt import Teacher, ascend, isotropic, kl
from tgt.hub import diffusers_generator, transformers_labeler


def main(labeler: str, generator: str, steps: int, size: int) -> list[float]:
    """Train a small student for some steps; the loss of each."""
    teacher = Teacher(diffusers_generator(generator, size), transformers_labeler(labeler))  # both frozen, calls counted
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(16, 3, size, size, generator=rng)  # your data
    with torch.no_grad():
        classes = teacher.label(images[:1]).shape[1]
    student = nn.Sequential(
        nn.Conv2d(3, 16, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.LazyLinear(classes)
    )
    student(images[:1])
    optimiser = torch.optim.AdamW(student.parameters(), lr=1e-3)

    def disagreement(latents: torch.Tensor) -> torch.Tensor:
        decoded = teacher.decode(latents)
        return kl(student(decoded), teacher.label(decoded))

    losses = []
    for _ in range(steps):
        batch = images[torch.randint(len(images), (4,), generator=rng)]
        latents = isotropic(teacher.encode(batch), 0.5, rng)  # around the batch ...
        latents = ascend(latents, disagreement, step_size=1.0)  # ... and on to where student and labeler disagree
        generated = teacher.decode(latents)
        logits, generated_logits = student(torch.cat([batch, generated])).chunk(2)
        loss = kl(logits, teacher.label(batch)).mean() + kl(generated_logits, teacher.label(generated)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}; the teacher was asked: {dict(teacher.costs.counts)}")
    return losses


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labeler", default="google/mobilenet_v2_1.0_224")
    parser.add_argument("--generator", default="stabilityai/sd-vae-ft-mse")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--size", type=int, default=64, help="height and width of the images")
    chosen = parser.parse_args()
    main(chosen.labeler, chosen.generator, chosen.steps, chosen.size)
