"""iDSPN: its inner optimiser, its gradient held to the unrolled one, constant memory, and equal elements split."""

import pytest
import torch
from torch import Tensor, nn

from perception.sets import DSPN, DeepSets, FSPoolEncoder, ImplicitDSPN, SetTransformer, hungarian
from perception.sets._descent import Descent
from perception.sets.implicit import conjugate_gradient

LATENT, SLOTS, CHANNELS = 24, 3, 2


def made(steps: int = 6, rate: float = 0.5, width: int = 8, **rest: object) -> ImplicitDSPN:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        encoder = rest.pop("encoder", None) or FSPoolEncoder(CHANNELS, LATENT, (width,), 6)
        return ImplicitDSPN(LATENT, SLOTS, CHANNELS, encoder, steps, rate, **rest).double()  # type: ignore[arg-type]


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Turn(nn.Module):
    """An isometry of sets into vectors, times sqrt(latent): the mean-over-latent objective's Hessian is the identity.

    No set encoder (it sees the order); it is there because everything about it is known.
    """

    def __init__(self) -> None:
        super().__init__()
        self.channels, self.latent = CHANNELS, LATENT
        self.frame = nn.Parameter(torch.linalg.qr(drawn(LATENT, SLOTS * CHANNELS)).Q * LATENT**0.5)
        self.shift = nn.Parameter(drawn(LATENT, seed=5))

    def forward(self, sets: Tensor, mask: Tensor | None = None) -> Tensor:
        return sets.flatten(1) @ self.frame.T + self.shift


def unrolled(decoder: ImplicitDSPN, z: Tensor, start: Tensor, steps: int) -> Tensor:
    """The same inner loop, differentiated through every step."""

    def objective(sets: Tensor) -> tuple[Tensor, Tensor]:
        gap = decoder.gap(sets, z)
        return gap, gap

    return Descent(decoder.rate, decoder.momentum, decoder.clip).walk(objective, start, steps, True).sets[-1]


def gradients(decoder: ImplicitDSPN, sets: Tensor, z: Tensor) -> list[Tensor]:
    weights = [z, *decoder.parameters()]
    return list(torch.autograd.grad((sets * drawn(*sets.shape, seed=9)).sum(), weights))


def test_its_inner_steps_are_nesterovs_on_each_sets_own_objective() -> None:
    decoder, z, start = made(7), drawn(3, LATENT), drawn(3, SLOTS, CHANNELS, seed=1)
    out = decoder(z, start=start)
    for b in range(3):
        free = start[b : b + 1].clone().requires_grad_()
        sgd = torch.optim.SGD([free], lr=0.5, momentum=0.9, nesterov=True)
        for step in range(7):
            torch.testing.assert_close(out.trace[step, b], free[0].detach())
            sgd.zero_grad()
            (0.5 * (decoder.encoder(free) - z[b]).square().mean()).backward()
            sgd.step()
        torch.testing.assert_close(out.sets[b], free[0].detach())


def test_a_long_inner_gradient_is_clipped_for_each_set_by_itself() -> None:
    decoder, start = made(1, rate=1.0, clip=0.01, momentum=0.0), drawn(2, SLOTS, CHANNELS)
    z = decoder.encoder(start).detach()
    z[1] += 100.0  # the first set is where it should be, the second far away
    moved = (decoder(z, start=start).sets - start).detach().norm(dim=(1, 2))
    torch.testing.assert_close(moved, torch.tensor([0.0, 0.01], dtype=torch.float64), atol=1e-9, rtol=1e-6)


def test_the_gradient_is_minus_that_of_the_last_inner_gradient() -> None:
    decoder, z = made(5), drawn(3, LATENT).requires_grad_()
    out = decoder(z, start=drawn(3, SLOTS, CHANNELS, seed=1))
    here = out.trace[-2].detach().requires_grad_()
    (g,) = torch.autograd.grad(decoder.gap(here, z).sum(), here, create_graph=True)
    torch.testing.assert_close(gradients(decoder, out.sets, z), gradients(decoder, -g, z))


def test_where_the_hessian_is_the_identity_the_implicit_gradient_is_the_unrolled_one() -> None:
    decoder = made(400, encoder=Turn(), rate=0.1)
    z, start = drawn(2, LATENT).requires_grad_(), torch.zeros(2, SLOTS, CHANNELS, dtype=torch.float64)
    out = decoder(z, start=start)
    wanted = unrolled(decoder, z, start, 400)
    torch.testing.assert_close(out.sets, wanted)
    torch.testing.assert_close(gradients(decoder, out.sets, z), gradients(decoder, wanted, z), rtol=1e-6, atol=1e-9)


def agreement(**rest: object) -> tuple[list[Tensor], list[Tensor]]:
    """Gradients of the implicit and of the unrolled loop where it converges: z is near the code of a set nearby.

    (Much further off the minimum lies on an edge between two linear pieces of the encoder, where no loop converges.)
    """
    decoder = made(300, width=16, rate=60.0, **rest)
    true = drawn(2, SLOTS, CHANNELS, seed=3)
    z = (decoder.encoder(true) + 0.001 * drawn(2, LATENT, seed=4)).detach().requires_grad_()
    start = true + 0.01 * drawn(2, SLOTS, CHANNELS, seed=6)
    out, wanted = decoder(z, start=start), unrolled(decoder, z, start, decoder.steps)
    assert float(out.moved[-1].max()) < 1e-9, "the inner loop has not converged, and the comparison says nothing"
    return gradients(decoder, out.sets, z), gradients(decoder, wanted, z)


def test_solved_with_the_hessian_the_implicit_gradient_is_the_unrolled_one() -> None:
    ours, theirs = agreement(solver="conjugate", solver_steps=30, damping=0.0)
    for one, other in zip(ours, theirs, strict=True):
        assert float((one - other).norm()) < 1e-6 * float(other.norm())  # 1e-9 was measured


def test_with_the_identity_for_the_hessian_the_gradient_still_points_the_same_way() -> None:
    for one, other in zip(*agreement(), strict=True):
        # 0.54 to 0.74 was measured, a weight tensor each.
        assert float(nn.functional.cosine_similarity(one.flatten(), other.flatten(), dim=0)) > 0.4


def test_conjugate_gradient_solves_each_set_of_a_batch() -> None:
    half = drawn(4, 6, 6)
    matrix = half @ half.transpose(1, 2) + torch.eye(6)
    right = drawn(4, 3, 2, seed=1)
    right[2] = 0.0
    solved = conjugate_gradient(lambda x: (matrix @ x.reshape(4, 6, 1)).reshape(4, 3, 2), right, 12)
    torch.testing.assert_close(solved, torch.linalg.solve(matrix, right.reshape(4, 6, 1)).reshape(4, 3, 2))


def test_a_learned_start_learns() -> None:
    decoder = made(4, start="learned")
    out = decoder(drawn(3, LATENT))
    assert decoder.start is not None
    (grad,) = torch.autograd.grad((out.sets * drawn(3, SLOTS, CHANNELS)).sum(), decoder.start)
    # The pull is 0.05 |Y - Y0|^2 for each set: dg/dY0 = -0.1, so the gradient is a tenth of what came in.
    torch.testing.assert_close(grad, 0.1 * drawn(3, SLOTS, CHANNELS).sum(0))


def nodes(tensor: Tensor) -> int:
    """How many operations stand behind a tensor, waiting for its gradient."""
    seen, todo = set(), [tensor.grad_fn]
    while todo:
        node = todo.pop()
        if node is not None and node not in seen:
            seen.add(node)
            todo += [next_ for next_, _ in node.next_functions]
    return len(seen)


@pytest.mark.parametrize("solver", ["identity", "conjugate"])
def test_the_graph_does_not_grow_with_the_steps(solver: str) -> None:
    z = drawn(2, LATENT)
    implicit = [nodes(made(steps, solver=solver)(z).sets) for steps in (10, 40, 160)]
    assert len(set(implicit)) == 1
    with torch.random.fork_rng(devices=[]):
        explicit = [nodes(DSPN(LATENT, SLOTS, CHANNELS).double()(z, steps=steps).sets) for steps in (2, 8)]
    assert explicit[1] > 3 * explicit[0] > 3 * implicit[0] / 2


def test_a_trace_of_the_ends_is_the_first_and_the_last() -> None:
    z = drawn(2, LATENT)
    whole, ends = made(6)(z), made(6, trace="ends")(z)
    assert torch.equal(ends.trace, whole.trace[[0, -1]]) and torch.equal(ends.gaps, whole.gaps)


def spread_from_equal_starts(decoder: ImplicitDSPN) -> float:
    """How far apart the elements end that all started at one place, asked for three different ones."""
    true = drawn(4, SLOTS, CHANNELS, seed=3)
    start = drawn(4, 1, CHANNELS, seed=1).expand(-1, SLOTS, -1)
    with torch.no_grad():
        sets = decoder(decoder.encoder(true), start=start).sets
    return float((sets[:, 0] - sets[:, 1]).norm(dim=-1).min())


def test_duplicates_split() -> None:
    assert spread_from_equal_starts(made(20, rate=5.0)) > 0.05


def test_duplicates_stay_together_in_a_set_equivariant_inner_loop() -> None:
    with torch.random.fork_rng(devices=[]):
        blind = [
            DeepSets(CHANNELS, LATENT, (8,), "sum"),
            DeepSets(CHANNELS, LATENT, (8,), "max"),
            SetTransformer(CHANNELS, LATENT, 8, 1, 2),
            FSPoolEncoder(CHANNELS, LATENT, (8,), sort="relaxed"),
        ]
    for encoder in blind:
        assert spread_from_equal_starts(made(20, rate=0.5, encoder=encoder)) < 1e-9


def test_what_is_asked_for_in_another_order_is_the_same_answer() -> None:
    decoder, z, start = made(10), drawn(3, LATENT), drawn(3, SLOTS, CHANNELS, seed=1)
    turn = torch.tensor([2, 0, 1])
    torch.testing.assert_close(decoder(z, start=start[:, turn]).sets, decoder(z, start=start).sets[:, turn])
    same = start[:, :1].expand(-1, SLOTS, -1)  # equal starts: the same multiset, whatever the order of the slots
    first, second = decoder(z, start=same).sets.detach(), decoder(z, start=same[:, turn]).sets.detach()
    assert float(hungarian(first, second).max()) < 1e-12
