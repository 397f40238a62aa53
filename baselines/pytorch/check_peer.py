"""Checks `peer.py` against `model.py` in float64, and its cached decoding against its own parallel pass.

    python check_peer.py
"""

import itertools
from dataclasses import replace

import torch

import model
import weights
from peer import EARLY, EXPLICIT, FIXED, ONLINE, SDPA, Peer, Sizes

GAMMA, BASE, TEMPERATURE = 0.3, 1.25, 0.8
TOLERANCE = 1e-9


def relative(actual: torch.Tensor, expected: torch.Tensor) -> float:
    return ((actual - expected).norm() / expected.norm().clamp_min(1e-6)).item()


def noise_for(policy: str, batch: int, length: int, depth: int) -> torch.Tensor:
    uniform = torch.rand(batch, length, depth).clamp(1e-6, 1 - 1e-6)
    return -torch.log(-torch.log(uniform)) if policy == EARLY else uniform[..., 0]


def check_training(sizes: Sizes, batch: int, length: int) -> float:
    """The largest relative error of the losses and of any gradient."""
    reference = model.Anira(
        model.Config(
            sizes.vocabulary, sizes.d_model, sizes.d_ff, sizes.heads, 1, 1, 1, sizes.depth, sizes.decider_width,
            sizes.policy,
        )
    )
    for parameter in reference.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    tokens, targets = (torch.randint(sizes.vocabulary, (batch, length)) for _ in range(2))
    noise = noise_for(sizes.policy, batch, length, sizes.depth)
    lengths = torch.full((batch,), length)
    out = reference(tokens, lengths, noise, TEMPERATURE)
    expected = model.objective(out, lengths, targets, torch.ones_like(tokens, dtype=torch.bool), GAMMA, BASE)
    expected.loss.backward()

    peer = Peer(sizes)
    weights.load(peer, {name: tensor.detach() for name, tensor in reference.state_dict().items()})
    loss, cross_entropy, regulariser = peer.losses(tokens, targets, noise, GAMMA, BASE, TEMPERATURE)
    loss.backward()
    found = weights.gradients(peer)
    wanted = {name: parameter.grad for name, parameter in reference.named_parameters()}
    assert found.keys() == wanted.keys(), found.keys() ^ wanted.keys()
    pairs = [(loss, expected.loss), (cross_entropy, expected.cross_entropy), (regulariser, expected.regulariser)]
    # With one step ANIRA-O decides nothing: its decider has no gradient in either.
    assert all((found[name] is None) == (gradient is None) for name, gradient in wanted.items())
    pairs += [(found[name], gradient) for name, gradient in wanted.items() if gradient is not None]
    with torch.no_grad():
        pairs.append((peer(tokens)[0], reference(tokens, lengths).logits))
    return max(relative(a.detach(), b.detach()) for a, b in pairs)


def check_decoding(sizes: Sizes, batch: int, prompt: int, count: int) -> None:
    peer = Peer(sizes)
    for parameter in peer.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    start = torch.randint(sizes.vocabulary, (batch, prompt))
    written = peer.decode(start, count)
    with torch.no_grad():
        parallel = peer(torch.cat([start, written], dim=1))[0].argmax(-1)
    assert torch.equal(parallel[:, prompt - 1 : -1], written), sizes


def main() -> None:
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    torch.manual_seed(1)
    shapes = [Sizes(11, 16, 24, 2, 4, EARLY, 20), Sizes(7, 12, 40, 1, 1, EARLY, 5), Sizes(9, 24, 16, 6, 5, EARLY, 30)]
    for base, attention, rotation in itertools.product(shapes, (SDPA, EXPLICIT), (True, False)):
        for policy in (EARLY, ONLINE, FIXED):
            sizes = replace(base, policy=policy, attention=attention, complex_rotation=rotation)
            for batch, length in ((3, 6), (1, 1), (2, 17)):
                if policy != FIXED:
                    error = check_training(sizes, batch, length)
                    assert error < TOLERANCE, (sizes, batch, length, error)
            check_decoding(sizes, 3, 1, 5)
            check_decoding(sizes, 2, 4, 9)
    print("losses, gradients and inference logits agree with model.py; decoding agrees with the parallel pass")


if __name__ == "__main__":
    main()
