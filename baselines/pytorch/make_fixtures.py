"""Writes tests/fixtures/anira_reference/: small models with inputs, outputs and gradients, all in float64.

Before a case is written it is checked: the gradients against finite differences of the definition, the padded batch
against each sequence run alone, and every choice of depth for a margin wide enough that float32 makes the same one.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from model import EARLY, ONLINE, Anira, Config, Objective, Unrolled, objective

FIXTURES = Path(__file__).resolve().parents[2] / "tests" / "fixtures" / "anira_reference"
GAMMA = 0.1
BASE = 1.25
TEMPERATURE = 1.0
MARGIN = 1e-2
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Case:
    name: str
    policy: str
    layers: tuple[int, int, int]
    """prelude, core, coda"""
    max_depth: int
    lengths: tuple[int, ...]
    bias: float | tuple[float, ...]
    """Centre of the decider's last bias, where it steers the depths"""
    seed: int

    def config(self) -> Config:
        prelude, core, coda = self.layers
        return Config(
            vocabulary=11,
            d_model=16,
            d_ff=24,
            heads=2,
            prelude_layers=prelude,
            core_layers=core,
            coda_layers=coda,
            max_depth=self.max_depth,
            decider_width=20,
            policy=self.policy,
        )


CASES = (
    Case("anira_e_1_1_1", EARLY, (1, 1, 1), 4, (6, 3, 5), (0.2, 0.4, 0.3, 0.0), 10),
    Case("anira_o_1_1_1", ONLINE, (1, 1, 1), 3, (6, 3, 5), -0.4, 16),
    Case("anira_e_0_2_2", EARLY, (0, 2, 2), 3, (4, 7), (0.3, 0.2, 0.0), 12),
    Case("anira_o_2_2_0", ONLINE, (2, 2, 0), 4, (5, 1, 7), -0.8, 69),
)


@dataclass(frozen=True)
class Batch:
    """Padded tensors, [batch, rows, ...]; the padding is arbitrary on purpose."""

    tokens: Tensor
    lengths: Tensor
    targets: Tensor
    answers: Tensor
    noise: Tensor

    def packed(self, x: Tensor) -> Tensor:
        """The sequences one after another, without padding: [rows of all sequences, ...]."""
        return torch.cat([x[b, :length] for b, length in enumerate(self.lengths.tolist())])


def draw_model(case: Case, rng: np.random.Generator) -> Anira:
    model = Anira(case.config()).double()
    for name, parameter in sorted(model.named_parameters()):
        shape = tuple(parameter.shape)
        if name.endswith("norm.weight") or name.endswith("layernorm.weight"):
            values = 1 + 0.2 * rng.standard_normal(shape)
        elif name == "decider.down.bias":
            values = np.broadcast_to(case.bias, shape) + 0.1 * rng.standard_normal(shape)
        elif name.endswith("bias"):
            values = 0.2 * rng.standard_normal(shape)
        elif name == "embed_tokens.weight":
            values = rng.standard_normal(shape)
        elif name == "decider.down.weight":
            values = 2.5 * rng.standard_normal(shape) / np.sqrt(shape[1])
        else:
            values = rng.standard_normal(shape) / np.sqrt(shape[1])
        parameter.data = torch.from_numpy(np.array(values, dtype=np.float64))
    return model


def draw_batch(case: Case, rng: np.random.Generator) -> Batch:
    shape = (len(case.lengths), max(case.lengths))
    tokens = rng.integers(0, 11, shape)
    targets = rng.integers(0, 11, shape)
    answers = rng.random(shape) < 0.5
    uniform = rng.random((*shape, case.max_depth))
    noise = -np.log(-np.log(uniform)) if case.policy == EARLY else uniform[..., 0]
    return Batch(
        torch.from_numpy(tokens),
        torch.tensor(case.lengths),
        torch.from_numpy(targets),
        torch.from_numpy(answers),
        torch.from_numpy(noise),
    )


def train_forward(model: Anira, batch: Batch, anchor: Unrolled | None = None) -> tuple[Unrolled, Objective]:
    out = model(batch.tokens, batch.lengths, batch.noise, TEMPERATURE, anchor)
    return out, objective(out, batch.lengths, batch.targets, batch.answers, GAMMA, BASE)


def gradient_deviation(model: Anira, batch: Batch, anchor: Unrolled, rng: np.random.Generator) -> float:
    """Largest difference between the gradients and central differences of the anchored loss.

    Every tensor is tried along three random directions that move all of its entries, and along six single entries.
    """
    step = 1e-5

    def loss() -> float:
        return train_forward(model, batch, anchor)[1].loss.item()

    worst = 0.0
    with torch.no_grad():
        for parameter in model.parameters():
            directions = [torch.from_numpy(rng.standard_normal(parameter.shape)) for _ in range(3)]
            directions = [direction / direction.norm() for direction in directions]
            for index in rng.choice(parameter.numel(), min(6, parameter.numel()), replace=False):
                direction = torch.zeros_like(parameter)
                direction.view(-1)[int(index)] = 1
                directions.append(direction)
            original = parameter.clone()
            for direction in directions:
                parameter.copy_(original + step * direction)
                above = loss()
                parameter.copy_(original - step * direction)
                below = loss()
                parameter.copy_(original)
                expected = (parameter.grad * direction).sum().item()
                worst = max(worst, abs((above - below) / (2 * step) - expected))
    return worst


def alone_deviation(model: Anira, batch: Batch, out: Unrolled) -> float:
    """Largest difference in the logits between the padded batch and each sequence run without padding."""
    worst = 0.0
    for b, length in enumerate(batch.lengths.tolist()):
        rows = (slice(b, b + 1), slice(length))
        alone = model(batch.tokens[rows], batch.lengths[b : b + 1], batch.noise[rows], TEMPERATURE)
        assert torch.equal(alone.depths[0], out.depths[b, :length])
        worst = max(worst, (alone.logits[0] - out.logits[b, :length]).abs().max().item())
    return worst


def margin(policy: str, batch: Batch, out: Unrolled, noise: Tensor | None) -> float:
    """How far the closest choice of depth was from falling the other way."""
    if policy == EARLY:
        drawn = out.log_distribution if noise is None else (out.log_distribution + noise) / TEMPERATURE
        best = drawn.topk(2, dim=-1).values
        distances = best[..., 0] - best[..., 1]
    else:
        threshold = torch.full(batch.tokens.shape, 0.5) if noise is None else noise
        cumulative = out.distribution.cumsum(-1)[..., :-1]
        distances = (cumulative - threshold[..., None]).abs().amin(-1)
    return batch.packed(distances).min().item()


def build(case: Case) -> tuple[dict[str, Tensor], dict]:
    rng = np.random.default_rng(case.seed)
    model = draw_model(case, rng)
    batch = draw_batch(case, rng)
    out, terms = train_forward(model, batch)
    terms.loss.backward()
    with torch.no_grad():
        inference = model(batch.tokens, batch.lengths)
        alone = alone_deviation(model, batch, out)
    depths, inference_depths = batch.packed(out.depths), batch.packed(inference.depths)
    closest = min(margin(case.policy, batch, out, batch.noise), margin(case.policy, batch, inference, None))
    deviation = gradient_deviation(model, batch, out, rng)
    largest = max(parameter.grad.abs().max().item() for parameter in model.parameters())

    print(case.name)
    print(f"  training depths  {depths.tolist()}")
    print(f"  inference depths {inference_depths.tolist()}")
    print(f"  answer tokens    {batch.packed(batch.answers).int().tolist()}")
    print(f"  cross-entropy {terms.cross_entropy:.6f}, regulariser {terms.regulariser:.6f}, loss {terms.loss:.6f}")
    print(f"  closest choice of depth: margin {closest:.2e}")
    print(f"  padded against alone: max deviation {alone:.1e}")
    print(f"  gradients against finite differences: max deviation {deviation:.1e}, largest entry {largest:.2f}")
    assert len(depths.unique()) >= 3, "training depths vary too little"
    assert len(inference_depths.unique()) >= 2, "inference depths vary too little"
    assert closest > MARGIN, "a choice of depth is too close"
    assert alone < 1e-12, "padding leaks"
    assert deviation < TOLERANCE, "the gradients are not those of the definition"

    tensors = {
        "input.tokens": batch.packed(batch.tokens),
        "input.lengths": batch.lengths,
        "input.targets": batch.packed(batch.targets),
        "input.loss_mask": batch.packed(batch.answers).to(torch.uint8),
        "input.noise": batch.packed(batch.noise),
        "output.depths": depths,
        "output.distribution": batch.packed(out.distribution),
        "output.logits": batch.packed(out.logits),
        "output.cross_entropy": terms.cross_entropy,
        "output.regulariser": terms.regulariser,
        "output.loss": terms.loss,
        "output.inference_depths": inference_depths,
        "output.inference_distribution": batch.packed(inference.distribution),
        "output.inference_logits": batch.packed(inference.logits),
    }
    for name, parameter in model.named_parameters():
        tensors[f"weights.{name}"] = parameter
        tensors[f"gradient.{name}"] = parameter.grad
    description = {
        "config": asdict(case.config()),
        "gamma": GAMMA,
        "base": BASE,
        "temperature": TEMPERATURE,
        "seed": case.seed,
    }
    return {name: tensor.detach().contiguous() for name, tensor in tensors.items()}, description


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=FIXTURES)
    directory = parser.parse_args().out
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    directory.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        tensors, description = build(case)
        path = directory / f"{case.name}.safetensors"
        save_file(tensors, path)
        path.with_suffix(".json").write_text(json.dumps(description, indent=2) + "\n")
        print(f"  {path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
