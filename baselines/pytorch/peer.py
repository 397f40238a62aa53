"""The peer that the suite's speed is measured against: the same recurrent Transformer as `model.py`, written for speed.

It is what a competent user of PyTorch would write in eager mode: dense [batch, length, d_model], one matrix for q, k
and v, rotary positions as one complex product, attention by a fused kernel or by two batched products (whichever is
faster on the machine), fused AdamW. One layer each in prelude, core and coda. Every row always takes all D steps of
the core; a halted row keeps its state through the gate. Sequences have one length and every row is under the loss.

Weights are read from, and gradients returned under, the names of the suite's checkpoints.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EARLY, ONLINE, FIXED = "anira-e", "anira-o", "fixed"
POLICIES = (EARLY, ONLINE, FIXED)
SDPA, EXPLICIT = "sdpa", "explicit"


@dataclass(frozen=True)
class Sizes:
    vocabulary: int
    d_model: int
    d_ff: int
    heads: int
    depth: int
    policy: str
    decider_width: int = 0
    """Hidden units of the decider; 0 stands for 4 * d_model"""
    epsilon: float = 1e-5
    theta: float = 10000.0
    capacity: int = 1024
    """Positions that the rotation is tabulated for"""
    attention: str = SDPA
    complex_rotation: bool = True
    """Off under the compiler, which cannot fuse complex numbers"""


def rotations(capacity: int, size: int, theta: float) -> Tensor:
    """[capacity, 2, 1, size / 2, 2]: cosine and sine that turn q and k at each position; q's are / sqrt(size)."""
    frequencies = theta ** -(torch.arange(size // 2, dtype=torch.float64) * 2 / size)
    angles = torch.arange(capacity, dtype=torch.float64)[:, None] * frequencies
    turn = torch.stack([angles.cos(), angles.sin()], dim=-1)
    return torch.stack([turn / math.sqrt(size), turn], dim=1).unsqueeze(2).to(torch.get_default_dtype())


@lru_cache
def future(length: int, dtype: torch.dtype) -> Tensor:
    """[length, length]: -inf where the key comes after the query, else 0."""
    return torch.full((length, length), -math.inf, dtype=dtype).triu(1)


@dataclass
class Cache:
    """Keys and values of one application of a layer: [batch, heads, capacity, size] each, `filled` positions valid."""

    keys: Tensor
    values: Tensor
    filled: int = 0

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        start, self.filled = self.filled, self.filled + keys.shape[2]
        self.keys[:, :, start : self.filled] = keys
        self.values[:, :, start : self.filled] = values
        return self.keys[:, :, : self.filled], self.values[:, :, : self.filled]


class RmsNorm(nn.Module):
    def __init__(self, size: int, epsilon: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.size, self.epsilon = size, epsilon

    def forward(self, x: Tensor) -> Tensor:
        square = torch.linalg.vecdot(x, x).unsqueeze(-1)
        return x * (square / self.size + self.epsilon).rsqrt() * self.weight


class Attention(nn.Module):
    """Components i and i + half of a head, which rotate together, lie side by side in the rows of `qkv`."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.sizes = sizes
        self.qkv = nn.Linear(sizes.d_model, 3 * sizes.d_model, bias=False)
        self.out = nn.Linear(sizes.d_model, sizes.d_model, bias=False)

    def forward(self, x: Tensor, turn: Tensor, cache: Cache | None) -> Tensor:
        qk, v = self.qkv(x).unflatten(-1, (3, self.sizes.heads, -1)).split([2, 1], dim=2)
        q, k = self.rotate(qk, turn).unbind(2)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.squeeze(2).transpose(1, 2)
        if cache is not None:
            k, v = cache.extend(k, v)
        return self.out(self.mix(q, k, v).transpose(1, 2).flatten(2))

    def rotate(self, x: Tensor, turn: Tensor) -> Tensor:
        pairs = x.unflatten(-1, (-1, 2))
        if self.sizes.complex_rotation:
            return torch.view_as_real(torch.view_as_complex(pairs) * torch.view_as_complex(turn)).flatten(-2)
        a, b = pairs.unbind(-1)
        c, s = turn.unbind(-1)
        return torch.stack((a * c - b * s, a * s + b * c), dim=-1).flatten(-2)

    def mix(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """[batch, heads, queries, size]; q is scaled already. The queries are all positions or the newest one."""
        causal = q.shape[2] > 1
        if self.sizes.attention == SDPA:
            return F.scaled_dot_product_attention(q, k, v, is_causal=causal, scale=1.0)
        shape = q.shape
        q, k, v = q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1)
        keys = k.transpose(1, 2)
        scores = torch.baddbmm(future(shape[2], q.dtype), q, keys) if causal else torch.bmm(q, keys)
        return torch.bmm(scores.softmax(-1), v).view(shape)


class Layer(nn.Module):
    def __init__(self, sizes: Sizes):
        super().__init__()
        self.attention_norm = RmsNorm(sizes.d_model, sizes.epsilon)
        self.attention = Attention(sizes)
        self.feed_forward_norm = RmsNorm(sizes.d_model, sizes.epsilon)
        self.gate_up = nn.Linear(sizes.d_model, 2 * sizes.d_ff, bias=False)
        self.down = nn.Linear(sizes.d_ff, sizes.d_model, bias=False)

    def forward(self, x: Tensor, turn: Tensor, cache: Cache | None = None) -> Tensor:
        x = x + self.attention(self.attention_norm(x), turn, cache)
        gate, up = self.gate_up(self.feed_forward_norm(x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)


class Decider(nn.Module):
    def __init__(self, sizes: Sizes):
        super().__init__()
        width = sizes.decider_width or 4 * sizes.d_model
        self.norm = nn.LayerNorm(sizes.d_model, eps=1e-5)
        self.up = nn.Linear(sizes.d_model, width, bias=False)
        self.down = nn.Linear(width, sizes.depth if sizes.policy == EARLY else 1)

    def forward(self, h: Tensor) -> Tensor:
        return self.down(F.silu(self.up(self.norm(h))))


class Early:
    """ANIRA-E: depths from the state before the first step. Gates: straight-through with noise, booleans without."""

    def __init__(self, decider: Decider, h: Tensor, noise: Tensor | None, temperature: float):
        scores = decider(h)
        scores = scores - scores.mean(-1, keepdim=True)
        drawn = scores if noise is None else (scores + noise) / temperature
        steps = torch.arange(scores.shape[-1], device=h.device)
        gates = drawn.argmax(-1, keepdim=True) >= steps
        if noise is not None:
            self.log_q = F.log_softmax(scores, dim=-1)
            at_least = steps.new_ones(len(steps), len(steps), dtype=h.dtype).tril()
            soft = drawn.softmax(-1) @ at_least
            gates = gates + (soft - soft.detach())
        self.gates = gates.split(1, dim=-1)

    def gate(self, step: int) -> Tensor:
        return self.gates[step]

    def observe(self, h: Tensor) -> None:
        pass


class Online:
    """ANIRA-O: after each step but the last the decider says how likely a token halts there."""

    def __init__(self, decider: Decider, h: Tensor, noise: Tensor | None):
        self.decider, self.training = decider, noise is not None
        self.threshold = 0.5 if noise is None else noise.unsqueeze(-1)
        self.active = torch.ones((*h.shape[:2], 1), dtype=torch.bool, device=h.device)
        self.log_remaining = h.new_zeros(self.active.shape)
        self.cumulative = h.new_zeros(self.active.shape)
        self.halts: list[Tensor] = []

    def gate(self, _: int) -> Tensor:
        if not self.training:
            return self.active
        soft = self.log_remaining.exp()
        return self.active + (soft - soft.detach())

    def observe(self, h: Tensor) -> None:
        score = self.decider(h)
        log_halt = self.log_remaining + F.logsigmoid(score)
        self.log_remaining = self.log_remaining + F.logsigmoid(-score)
        self.cumulative = self.cumulative + log_halt.detach().exp()
        self.active = self.active & (self.cumulative < self.threshold)
        self.halts.append(log_halt)

    @property
    def log_q(self) -> Tensor:
        return torch.cat([*self.halts, self.log_remaining], dim=-1)


class Peer(nn.Module):
    def __init__(self, sizes: Sizes):
        super().__init__()
        self.sizes = sizes
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.d_model)
        self.prelude, self.core, self.coda = Layer(sizes), Layer(sizes), Layer(sizes)
        self.norm = RmsNorm(sizes.d_model, sizes.epsilon)
        self.head = nn.Linear(sizes.d_model, sizes.vocabulary, bias=False)
        self.decider = None if sizes.policy == FIXED else Decider(sizes)
        turn = rotations(sizes.capacity, sizes.d_model // sizes.heads, sizes.theta)
        self.register_buffer("turn", turn, persistent=False)

    def forward(
        self, tokens: Tensor, noise: Tensor | None = None, temperature: float = 1.0, cache: list[Cache] | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Logits [batch, length, vocabulary], and with noise log q [batch, length, D].

        Noise (Gumbel [batch, length, D] for ANIRA-E, uniform [batch, length] for ANIRA-O) makes it the training
        forward; without it depths are the mode or the median. With a `cache` from `empty_cache`, `tokens` are the
        prompt or, after it, one new token of each sequence.
        """
        sizes = self.sizes
        start = cache[0].filled if cache else 0
        end = start + tokens.shape[1]
        h = self.embedding(tokens)
        turn = self.turn[start:end]
        caches = cache or [None] * (sizes.depth + 2)
        h = self.prelude(h, turn, caches[0])
        halting = None
        if sizes.policy == EARLY:
            halting = Early(self.decider, h, noise, temperature)
        elif sizes.policy == ONLINE:
            halting = Online(self.decider, h, noise)
        for step in range(sizes.depth):
            candidate = self.core(h, turn, caches[1 + step])
            if halting is None or step == 0:
                h = candidate
            elif noise is None:
                h = torch.where(halting.gate(step), candidate, h)
            else:
                h = torch.lerp(h, candidate, halting.gate(step))
            if halting is not None and step + 1 < sizes.depth:
                halting.observe(h)
        logits = self.head(self.norm(self.coda(h, turn, caches[-1])))
        return logits, None if halting is None or noise is None else halting.log_q

    def losses(
        self, tokens: Tensor, targets: Tensor, noise: Tensor | None, gamma: float, base: float, temperature: float = 1.0
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(loss, cross-entropy over all rows, mean KL from the prior p(d) proportional to base^-d)"""
        logits, log_q = self(tokens, noise, temperature)
        cross_entropy = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        if log_q is None:
            return cross_entropy, cross_entropy, cross_entropy.new_zeros(())
        depths = torch.arange(1, log_q.shape[-1] + 1, dtype=log_q.dtype, device=log_q.device)
        log_p = torch.log_softmax(-depths * math.log(base), dim=0)
        regulariser = (log_q.exp() * (log_q - log_p)).sum(-1).mean()
        return cross_entropy + gamma * regulariser, cross_entropy, regulariser

    def empty_cache(self, batch: int, capacity: int) -> list[Cache]:
        """One cache for the prelude, one for each step of the core, one for the coda."""
        shape = (batch, self.sizes.heads, capacity, self.sizes.d_model // self.sizes.heads)
        new = self.head.weight.new_empty
        return [Cache(new(shape), new(shape)) for _ in range(self.sizes.depth + 2)]

    @torch.inference_mode()
    def decode(self, prompt: Tensor, count: int) -> Tensor:
        """[batch, count]: the tokens that greedy decoding appends to `prompt` [batch, length]."""
        cache = self.empty_cache(len(prompt), prompt.shape[1] + count - 1)
        written, newest = [], prompt
        for _ in range(count):
            newest = self(newest, cache=cache)[0][:, -1:].argmax(-1)
            written.append(newest)
        return torch.cat(written, dim=1)
