"""Carries weights and gradients between the names of the suite's checkpoints and `peer.py`'s packed matrices."""

import torch
from torch import Tensor

from peer import FIXED, Peer, Sizes

PLAIN = {
    "embed_tokens.weight": "embedding.weight",
    "norm.weight": "norm.weight",
    "lm_head.weight": "head.weight",
}
DECIDER = ("norm.weight", "norm.bias", "up.weight", "down.weight", "down.bias")
PARTS = ("prelude", "core", "coda")
LAYER = {
    "input_layernorm.weight": "attention_norm.weight",
    "self_attn.o_proj.weight": "attention.out.weight",
    "post_attention_layernorm.weight": "feed_forward_norm.weight",
    "mlp.down_proj.weight": "down.weight",
}


def names(sizes: Sizes) -> dict[str, str]:
    """Checkpoint name to name in the peer, for tensors that are the same in both."""
    same = dict(PLAIN)
    if sizes.policy != FIXED:
        same |= {f"decider.{name}": f"decider.{name}" for name in DECIDER}
    for part in PARTS:
        same |= {f"{part}.layers.0.{theirs}": f"{part}.{ours}" for theirs, ours in LAYER.items()}
    return same


def interleave(weight: Tensor, heads: int) -> Tensor:
    """Rows of each head from (first half, second half) to pairs that rotate together."""
    return weight.unflatten(0, (heads, 2, -1)).transpose(1, 2).flatten(0, 2)


def separate(weight: Tensor, heads: int) -> Tensor:
    """The inverse of `interleave`."""
    return weight.unflatten(0, (heads, -1, 2)).transpose(1, 2).flatten(0, 2)


def load(peer: Peer, stored: dict[str, Tensor]) -> None:
    """Puts a checkpoint's tensors into the peer; every one must be used, none may lack."""
    stored, heads = dict(stored), peer.sizes.heads
    state = {ours: stored.pop(theirs) for theirs, ours in names(peer.sizes).items()}
    for part in PARTS:
        take = lambda name: stored.pop(f"{part}.layers.0.{name}_proj.weight")
        q, k, v = (take(f"self_attn.{name}") for name in "qkv")
        state[f"{part}.attention.qkv.weight"] = torch.cat([interleave(q, heads), interleave(k, heads), v])
        state[f"{part}.gate_up.weight"] = torch.cat([take("mlp.gate"), take("mlp.up")])
    if stored:
        raise ValueError(f"tensors that the peer has no place for: {', '.join(sorted(stored))}")
    peer.load_state_dict(state)


def gradients(peer: Peer) -> dict[str, Tensor]:
    """The peer's gradients under the names of a checkpoint."""
    heads = peer.sizes.heads
    held = {name: parameter.grad for name, parameter in peer.named_parameters()}
    result = {theirs: held[ours] for theirs, ours in names(peer.sizes).items()}
    for part in PARTS:
        at = f"{part}.layers.0"
        q, k, v = held[f"{part}.attention.qkv.weight"].chunk(3)
        result[f"{at}.self_attn.q_proj.weight"] = separate(q, heads)
        result[f"{at}.self_attn.k_proj.weight"] = separate(k, heads)
        result[f"{at}.self_attn.v_proj.weight"] = v
        gate, up = held[f"{part}.gate_up.weight"].chunk(2)
        result[f"{at}.mlp.gate_proj.weight"], result[f"{at}.mlp.up_proj.weight"] = gate, up
    return result
