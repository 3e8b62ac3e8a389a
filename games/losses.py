"""What a game costs: from a receiver's scores of its candidates to one number a game."""

import torch
import torch.nn.functional as F

from raster.shapes import Bool, Float, Int, Tensor


def cross_entropy(scores: Float[Tensor, "b k"], target: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
    """Minus the log-probability of the target under a softmax over its pool, [B] (Havrylov & Titov 2017)."""
    return F.cross_entropy(scores, target, reduction="none")


def hinge(scores: Float[Tensor, "b k"], target: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
    """``sum_(j != y) max(0, 1 - s_y + s_j)``, [B]: the formula of Mihai & Hare 2021, section 3.2.

    A sum: with 99 distractors it weighs 100 times what ``multi_margin`` does beside a bias.
    """
    margin = (1.0 - scores.gather(1, target[:, None]) + scores).clamp(min=0.0)  # [B, K]
    return margin.sum(dim=1) - 1.0  # the target's own margin is always 1


def multi_margin(scores: Float[Tensor, "b k"], target: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
    """``hinge`` divided by the number K of candidates, [B]: torch's own, and what the code of that paper runs."""
    return hinge(scores, target) / scores.shape[1]


OF_ONE_TARGET = {"cross_entropy": cross_entropy, "hinge": hinge, "multi_margin": multi_margin}
"""Losses of a game's own scores and its one target, by the word that a config uses."""


def info_nce(
    scores: Float[Tensor, "b k"], target: Int[Tensor, " b"], pool_of: Int[Tensor, " b"]
) -> Float[Tensor, " b"]:
    """InfoNCE both ways, their mean, [B]: CPC (van den Oord et al. 2018, eq. 4), symmetrical as in CLIP (Radford et al.
    2021, figure 3).

    From sketch to photo: the target's cross-entropy among the K candidates. From photo to sketch: the cross-entropy of
    a game's own sketch among the sketches of all games that share its pool, each scored against this game's target.
    A game that has its pool to itself has nothing to be told from in the second way, and pays 0 there.
    """
    crossed = scores[:, target].T  # [B, B]: row b has every game's score of game b's target
    apart = pool_of[:, None] != pool_of[None, :]  # scores of another pool's candidates: not of this photo
    crossed = crossed.masked_fill(apart, -torch.inf)
    own = torch.arange(len(target), device=target.device)
    return (cross_entropy(scores, target) + cross_entropy(crossed, own)) / 2


def binary(scores: Float[Tensor, "b k"], targets: Bool[Tensor, "b k"]) -> Float[Tensor, " b"]:
    """Binary cross-entropy of each candidate, target or not, its score the log-odds; the mean over candidates, [B].

    After the reference sets of Mu & Goodman (*Emergent Communication of Generalizations*, NeurIPS 2021).
    """
    return F.binary_cross_entropy_with_logits(scores, targets.to(scores.dtype), reduction="none").mean(dim=1)
