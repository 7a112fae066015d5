"""Grid worlds: the twins of MiniGrid, and mazes."""

from visnav.envs.grid.world import Task

__all__ = ["Task"]
