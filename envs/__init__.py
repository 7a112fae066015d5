"""Worlds that make pixels. Importing this package registers every visnav ID with Gymnasium."""

if __name__ != "visnav.envs":
    raise ImportError(
        f"this package is visnav.envs, but it was imported as {__name__!r}; "
        "install the repository (pip install -e .) and write `import visnav.envs`"
    )

from visnav.envs.driving.layouts import TASKS as DRIVING_TASKS
from visnav.envs.grid.levels import TASKS as GRID_TASKS
from visnav.envs.grid.simulation import LevelError
from visnav.envs.gym import TASKS, Env, VectorEnv, register

register({f"visnav/{name}": make_task for name, make_task in GRID_TASKS.items()})
register({f"visnav/{name}": make_task for name, make_task in DRIVING_TASKS.items()})

__all__ = ["TASKS", "Env", "LevelError", "VectorEnv", "register"]
