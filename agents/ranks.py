"""Several processes that train one policy: `torchrun --standalone --nproc-per-node 2 -m visnav.experiments.train …`.

Each process (rank) has its own worlds and a copy of the policy; gradients are added up, so that W ranks of N worlds do
what one process with W · N worlds does.
"""

import importlib
import os
from collections.abc import Iterable

import torch
from torch import Tensor, distributed, nn


class Ranks:
    """The processes of a training; without `torchrun` this one alone.

    Attributes:
        rank: number of this process.
        count: how many there are.
    """

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank, self.count = rank, count

    @classmethod
    def join(cls) -> "Ranks":
        """Meet the other processes that `torchrun` started, if it did; they talk by gloo, over the loopback device
        unless torchrun was told of other machines.
        """
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count > 1 and not distributed.is_initialized():
            # Imported once there is a group, this module holds it for good in its functions' default arguments: its
            # threads would outlive `leave` and can abort the process as the interpreter ends.
            importlib.import_module("torch.distributed.nn.functional")
            distributed.init_process_group("gloo")
        return cls(int(os.environ.get("RANK", "0")), count)

    def leave(self) -> None:
        """Part from the others; the threads that carried the messages end here."""
        if self.count > 1:
            distributed.destroy_process_group()

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and talks to people."""
        return self.rank == 0

    def total(self, values: Tensor) -> Tensor:
        """The sum of all ranks' values, as a new tensor; no gradient flows through it."""
        if self.count == 1:
            return values.detach()
        total = values.detach().clone()
        distributed.all_reduce(total)
        return total

    def any(self, flag: bool) -> bool:
        """Whether one rank at least says so."""
        return bool(self.total(torch.tensor(float(flag))) > 0)

    def share(self, text: str) -> str:
        """The first rank's text, in all of them."""
        if self.count == 1:
            return text
        content = torch.tensor(list(text.encode()) if self.is_first else [], dtype=torch.uint8)
        length = self.total(torch.tensor(len(content)))
        content = content if self.is_first else torch.empty(int(length), dtype=torch.uint8)
        distributed.broadcast(content, 0)
        return bytes(content.tolist()).decode()

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by the sum of all ranks', in one message."""
        if self.count == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))


ALONE = Ranks()  # one process
