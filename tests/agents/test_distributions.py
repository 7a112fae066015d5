"""Distributions against torch.distributions, and their sampling against the probabilities."""

import torch

from visnav.agents.distributions import Categorical, DiagonalGaussian


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
    samples = categorical.sample(torch.Generator().manual_seed(0))
    frequencies = torch.bincount(samples, minlength=4) / len(samples)
    torch.testing.assert_close(frequencies, probabilities, atol=0.006, rtol=0)
    torch.manual_seed(1)
    assert torch.equal(samples, categorical.sample(torch.Generator().manual_seed(0)))

    gaussian = DiagonalGaussian(torch.full((100_000, 1), 2.0), torch.tensor([-1.0]))
    samples = gaussian.sample(torch.Generator().manual_seed(0))
    assert abs(samples.mean() - 2.0) < 0.01
    assert abs(samples.std() - torch.tensor(-1.0).exp()) < 0.01
