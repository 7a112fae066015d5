"""Distributions against torch.distributions, and their sampling against the probabilities."""

import math

import pytest
import scipy.stats
import torch

from visnav.agents.distributions import Beta, Categorical, DiagonalGaussian, Noise, SquashedGaussian


def test_categorical_agrees_with_torch() -> None:
    logits = torch.randn(64, 7, dtype=torch.float64) * 5
    actions = torch.randint(0, 7, (64,))
    ours, theirs = Categorical(logits), torch.distributions.Categorical(logits=logits)
    torch.testing.assert_close(ours.log_prob(actions), theirs.log_prob(actions))
    torch.testing.assert_close(ours.entropy(), theirs.entropy())
    assert torch.equal(ours.mode(), theirs.mode)


def test_gaussian_agrees_with_torch() -> None:
    mean, log_std = torch.randn(64, 3, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    actions = torch.randn(64, 3, dtype=torch.float64)
    ours = DiagonalGaussian(mean, log_std)
    theirs = torch.distributions.Independent(torch.distributions.Normal(mean, log_std.exp().expand_as(mean)), 1)
    torch.testing.assert_close(ours.log_prob(actions), theirs.log_prob(actions))
    torch.testing.assert_close(ours.entropy(), theirs.entropy())
    assert torch.equal(ours.mode(), mean)


def test_samples_follow_the_probabilities_and_the_generator_alone() -> None:
    probabilities = torch.tensor([0.5, 0.3, 0.2, 0.0])
    categorical = Categorical(probabilities.log().nan_to_num(neginf=-1e9).expand(100_000, 4))
    samples = categorical.sample(Noise(torch.Generator().manual_seed(0)))
    frequencies = torch.bincount(samples, minlength=4) / len(samples)
    torch.testing.assert_close(frequencies, probabilities, atol=0.006, rtol=0)
    torch.manual_seed(1)
    assert torch.equal(samples, categorical.sample(Noise(torch.Generator().manual_seed(0))))

    gaussian = DiagonalGaussian(torch.full((100_000, 1), 2.0), torch.tensor([-1.0]))
    samples = gaussian.sample(Noise(torch.Generator().manual_seed(0)))
    assert abs(samples.mean() - 2.0) < 0.01
    assert abs(samples.std() - torch.tensor(-1.0).exp()) < 0.01


def test_a_state_dependent_gaussian_agrees_with_torch() -> None:
    mean, log_std, actions = torch.randn(3, 64, 2, dtype=torch.float64)
    ours = DiagonalGaussian(mean, log_std)
    theirs = torch.distributions.Independent(torch.distributions.Normal(mean, log_std.exp()), 1)
    torch.testing.assert_close(ours.log_prob(actions), theirs.log_prob(actions))
    torch.testing.assert_close(ours.entropy(), theirs.entropy())


def test_beta_agrees_with_torch() -> None:
    alpha, beta = 1 + 9 * torch.rand(2, 64, 3, dtype=torch.float64)
    actions = torch.rand(64, 3, dtype=torch.float64)
    ours = Beta(alpha, beta)
    theirs = torch.distributions.Independent(torch.distributions.Beta(alpha, beta), 1)
    torch.testing.assert_close(ours.log_prob(actions), theirs.log_prob(actions))
    torch.testing.assert_close(ours.entropy(), theirs.entropy())
    grid = torch.linspace(1e-4, 1 - 1e-4, 20_001, dtype=torch.float64)
    one = Beta(alpha[:1, :1], beta[:1, :1])
    best = grid[
        Beta(alpha[:1, :1].expand(len(grid), 1), beta[:1, :1].expand(len(grid), 1)).log_prob(grid[:, None]).argmax()
    ]
    assert abs(float(one.mode()) - float(best)) < 1e-3
    assert Beta(torch.ones(1, 1), torch.ones(1, 1)).mode() == 0.5  # flat: its middle


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 1.0), (1.05, 8.0), (3.0, 2.0), (60.0, 30.0)])
def test_beta_draws_what_it_says(alpha: float, beta: float) -> None:
    """Kolmogorov and Smirnov's distance between 100,000 samples and the distribution, by scipy."""
    shape = torch.ones(100_000, 1)
    samples = Beta(alpha * shape, beta * shape).sample(Noise(torch.Generator().manual_seed(0)))
    assert scipy.stats.kstest(samples.numpy().ravel(), scipy.stats.beta(alpha, beta).cdf).statistic < 0.007


@pytest.mark.parametrize("mean", [-2.0, 0.0, 0.7])
@pytest.mark.parametrize("log_std", [-4.0, -1.0, 0.0, 1.0])
def test_a_squashed_gaussian_agrees_with_numerical_integration(mean: float, log_std: float) -> None:
    """Its density over (-1, 1) sums to 1, and its entropy is -∫ p log p; both by the trapezoidal rule in u."""
    u = torch.linspace(mean - 9 * math.exp(log_std), mean + 9 * math.exp(log_std), 400_001, dtype=torch.float64)
    ones = torch.ones(len(u), 1, dtype=torch.float64)
    log_p = SquashedGaussian(mean * ones, log_std * ones[0]).log_prob(u[:, None])
    slope = torch.exp(2 * (math.log(2) - u - torch.nn.functional.softplus(-2 * u)))  # d tanh u / du
    assert torch.trapezoid(log_p.exp() * slope, u).item() == pytest.approx(1, abs=1e-6)
    entropy = -torch.trapezoid(log_p.exp() * slope * log_p, u).item()
    ours = SquashedGaussian(torch.full((1, 1), mean), torch.full((1,), log_std)).entropy().item()
    assert ours == pytest.approx(entropy, abs=5e-3)
    middle = (len(u) * 5) // 9
    theirs = torch.distributions.TransformedDistribution(
        torch.distributions.Normal(mean, math.exp(log_std)), torch.distributions.TanhTransform(cache_size=1)
    )
    if log_std < 0.5:
        assert log_p[middle].item() == pytest.approx(theirs.log_prob(u[middle].tanh()).item(), abs=1e-4)


def test_ranks_together_draw_what_one_process_draws() -> None:
    alpha, beta, logits = torch.rand(3, 12, 4) * 3 + 1
    for make in (
        lambda s: Beta(alpha[s], beta[s]),
        lambda s: Categorical(logits[s]),
        lambda s: DiagonalGaussian(alpha[s], beta[s]),
    ):
        whole = make(slice(None)).sample(Noise(torch.Generator().manual_seed(5)))
        parts = [make(slice(6 * r, 6 * r + 6)).sample(Noise(torch.Generator().manual_seed(5), r, 2)) for r in range(2)]
        assert torch.equal(whole, torch.cat(parts))
