"""Curiosity: a reward for what is new, by random network distillation (RND) or by counting.

Burda et al. 2018, "Exploration by Random Network Distillation" (arXiv:1810.12894): a network learns to predict what a
fixed random network says of an image; where it errs, little like it was seen before. It is for images of any kind.

Tang et al. 2017, "#Exploration: A Study of Count-Based Exploration for Deep RL" (arXiv:1611.04717): the n-th time that
an image is seen, by its hash, is worth 1/√n. It is for worlds that show the very same image again, such as grids.

With `first_visits` an image counts only the first time in its episode, else pacing to and fro at the edge of the known
would be rewarded: Zhang et al. 2021, "NovelD: A Simple yet Effective Exploration Criterion" (NeurIPS), section 3.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from visnav.agents.pictures import Repeated
from visnav.agents.ranks import Ranks
from visnav.agents.rollout import ReturnScale, RolloutBuffer
from visnav.agents.threads import shared
from visnav.perception.encoders import NatureCNN, PatchStem

FEATURES = 128  # numbers that RND's networks say of an image
MOST = 5.0  # deviations at which a normalised pixel is clipped
RECENT = 512  # images of an episode that are remembered, to tell which is new in it
PART = 256  # images that RND's networks look at together
BUCKETS = 2**22  # counters, shared by the images whose hashes fall on the same one


class FirstVisits:
    """Tells which images are seen for the first time in their episode, of which the last RECENT are remembered."""

    def __init__(self, num_envs: int) -> None:
        self.seen = torch.zeros(num_envs, RECENT, dtype=torch.int64)  # hashes, a ring a world; 0 is none
        self.count = torch.zeros(num_envs, dtype=torch.int64)  # images in the episode so far

    def find(self, hashed: Tensor, fresh: Tensor) -> Tensor:
        """(T, N) bool, which of the images, by their hashes (T, N), are new; `fresh` (T, N) bool begin an episode."""
        worlds = torch.arange(len(self.count))
        found = []
        for row, begins in zip(hashed, fresh, strict=True):
            self.seen[begins], self.count[begins] = 0, 0
            found.append((self.seen != row.unsqueeze(1)).all(1))
            self.seen[worlds, self.count % RECENT] = row
            self.count += 1
        return torch.stack(found)


class Curiosity(nn.Module):
    """Novelty of images, in units of its return's running deviation.

    Args:
        sensor: the name of the sensor that gives the images.
        num_envs: N.
        gamma: discount of the novelty's return, whose deviation scales it.
        first_visits: whether an image counts only the first time in its episode.
    """

    def __init__(self, sensor: str, num_envs: int, gamma: float, first_visits: bool = False) -> None:
        super().__init__()
        self.sensor = sensor
        self.scale = ReturnScale(num_envs, gamma)
        self.visits = FirstVisits(num_envs) if first_visits else None

    @torch.no_grad()
    def rewards(self, buffer: RolloutBuffer, ranks: Ranks) -> Tensor:
        """(T, N) novelty of what each step led to, scaled; the statistics take in the rollout."""
        images = buffer.newest(self.sensor)
        hashed = buffer.hashes[self.sensor][-buffer.num_steps :]
        counts = torch.ones(images.shape[:2], dtype=torch.bool)
        if self.visits:
            counts = self.visits.find(hashed, buffer.fresh(1, buffer.num_steps + 1))
        novelty = self.novelty(images, hashed, counts, ranks) * counts
        return self.scale.scale(novelty, torch.zeros_like(counts), ranks)

    def novelty(self, images: Tensor, hashed: Tensor, counts: Tensor, ranks: Ranks) -> Tensor:
        """(T, N) of images (T, N, H, W, C) with their hashes, before any scale; only where `counts` does it matter."""
        raise NotImplementedError

    def learned(self) -> list[nn.Parameter]:
        """What an optimiser is to learn."""
        return []

    def state(self) -> dict[str, np.ndarray]:
        """Every array, to be saved; `load` takes it back."""
        arrays = {name: tensor.contiguous().numpy() for name, tensor in self.state_dict().items()}
        arrays |= {f"scale/{name}": array for name, array in self.scale.state().items()}
        if self.visits:
            arrays |= {"visits/seen": self.visits.seen.numpy(), "visits/count": self.visits.count.numpy()}
        return arrays

    def load(self, state: dict[str, np.ndarray]) -> None:
        """Take over a saved state."""
        groups: dict[str, dict[str, np.ndarray]] = {"scale": {}, "visits": {}, "": {}}
        for name, array in state.items():
            group, _, member = name.rpartition("/")
            groups[group][member] = array
        self.scale.load(groups["scale"])
        if self.visits:
            self.visits.seen, self.visits.count = (torch.tensor(groups["visits"][name]) for name in ("seen", "count"))
        self.load_state_dict({name: torch.tensor(array) for name, array in groups[""].items()})


class Counting(Curiosity):
    """1/√n of an image that was met n times, those of this rollout included."""

    table: Tensor

    def __init__(self, sensor: str, num_envs: int, gamma: float, first_visits: bool = False) -> None:
        super().__init__(sensor, num_envs, gamma, first_visits)
        self.register_buffer("table", torch.zeros(BUCKETS, dtype=torch.int32))

    def novelty(self, images: Tensor, hashed: Tensor, counts: Tensor, ranks: Ranks) -> Tensor:
        buckets = hashed >> 8 & BUCKETS - 1  # the lowest bits of a sum of products are its poorest
        if ranks.count > 1:
            self.table += ranks.total(torch.bincount(buckets[counts], minlength=BUCKETS).int())
        else:
            self.table.index_add_(0, buckets[counts], torch.ones((), dtype=torch.int32).expand(int(counts.sum())))
        return self.table[buckets].clamp(min=1).rsqrt()


class Distillation(Curiosity):
    """The error of a network that learns to predict a fixed random one, of images with normalised pixels.

    Args:
        shape: (height, width, channels) of the images.
        seed: of the weights of both networks.
        sensor, num_envs, gamma, first_visits: as in Curiosity.
    """

    mean: Tensor
    square: Tensor
    count: Tensor

    def __init__(
        self, shape: Sequence[int], seed: int, sensor: str, num_envs: int, gamma: float, first_visits: bool = False
    ) -> None:
        super().__init__(sensor, num_envs, gamma, first_visits)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.target, self.predictor = self._network(shape), self._network(shape)
        self.target.requires_grad_(False)
        for name in ("mean", "square"):  # of every pixel, Welford's sums
            self.register_buffer(name, torch.zeros(tuple(shape), dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    @staticmethod
    def _network(shape: Sequence[int]) -> nn.Module:
        """Images (B, H, W, C) float in, (B, FEATURES) out."""
        height, width, _ = shape
        encoder = NatureCNN(shape, 256) if min(height, width) >= 36 else PatchStem(shape, 256, patch=4)
        return nn.Sequential(encoder, nn.Linear(256, FEATURES))

    def novelty(self, images: Tensor, hashed: Tensor, counts: Tensor, ranks: Ranks) -> Tensor:
        self._observe(images, ranks)
        shown = Repeated.of(hashed.flatten(), images.flatten(0, 1))

        def errors(some: Tensor) -> Tensor:
            return torch.cat([self._errors(self.normalised(part)) for part in some.split(PART)])

        return shown.spread(shared(errors, shown.images)).view_as(hashed)

    def learned(self) -> list[nn.Parameter]:
        """The predictor's weights, by `loss`."""
        return list(self.predictor.parameters())

    def loss(self, images: Tensor, weights: Tensor) -> Tensor:
        """Sum over rows of the prediction's error, each with its weight (B,)."""
        return (self._errors(self.normalised(images)) * weights).sum()

    def normalised(self, images: Tensor) -> Tensor:
        """Pixels (B, H, W, C) uint8 less their mean, over their deviation, clipped at MOST of them."""
        deviation = (self.square / self.count.clamp(min=1)).sqrt().float().clamp(min=1.0)  # of 255
        return ((images - self.mean.float()) / deviation).clamp(-MOST, MOST)

    def _errors(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            target = self.target(images)
        return (self.predictor(images) - target).square().mean(1)

    def _observe(self, images: Tensor, ranks: Ranks) -> None:
        """Merge the images (T, N, H, W, C) into mean and deviation, by Chan's parallel formula."""
        frames = images.flatten(0, 1)
        count = ranks.total(torch.tensor(float(len(frames)), dtype=torch.float64))
        mean = ranks.total(frames.sum(0, dtype=torch.float64)) / count
        centred = sum(((part.float() - mean.float()) ** 2).sum(0, dtype=torch.float64) for part in frames.split(1024))
        square = ranks.total(torch.as_tensor(centred))
        total, delta = self.count + count, mean - self.mean
        self.mean += delta * count / total
        self.square += square + delta**2 * self.count * count / total
        self.count.copy_(total)
