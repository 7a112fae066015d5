"""Level functions, one task family a file, and the registry of every grid task."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from visnav.envs.grid.levels.crossing import crossing_task
from visnav.envs.grid.levels.door_key import door_key_task
from visnav.envs.grid.levels.empty import empty_task
from visnav.envs.grid.levels.four_rooms import four_rooms_task
from visnav.envs.grid.levels.go_to_door import go_to_door_task
from visnav.envs.grid.levels.key_corridor import key_corridor_task
from visnav.envs.grid.levels.lava_gap import lava_gap_task
from visnav.envs.grid.levels.maze import maze_task
from visnav.envs.grid.levels.multi_room import multi_room_task
from visnav.envs.grid.levels.unlock import unlock_task
from visnav.envs.grid.levels.unlock_pickup import unlock_pickup_task
from visnav.envs.grid.world import Task

TASKS: dict[str, Callable[..., Task]] = {
    "MiniGrid-Empty-5x5-v0": partial(empty_task, size=5),
    "MiniGrid-Empty-Random-5x5-v0": partial(empty_task, size=5, agent_start_pos=None),
    "MiniGrid-Empty-6x6-v0": partial(empty_task, size=6),
    "MiniGrid-Empty-Random-6x6-v0": partial(empty_task, size=6, agent_start_pos=None),
    "MiniGrid-Empty-8x8-v0": partial(empty_task, size=8),
    "MiniGrid-Empty-16x16-v0": partial(empty_task, size=16),
    "MiniGrid-DoorKey-5x5-v0": partial(door_key_task, size=5),
    "MiniGrid-DoorKey-6x6-v0": partial(door_key_task, size=6),
    "MiniGrid-DoorKey-8x8-v0": partial(door_key_task, size=8),
    "MiniGrid-DoorKey-16x16-v0": partial(door_key_task, size=16),
    "MiniGrid-FourRooms-v0": four_rooms_task,
    "MiniGrid-SimpleCrossingS9N1-v0": partial(crossing_task, size=9, num_crossings=1, obstacle_type="wall"),
    "MiniGrid-SimpleCrossingS9N2-v0": partial(crossing_task, size=9, num_crossings=2, obstacle_type="wall"),
    "MiniGrid-SimpleCrossingS9N3-v0": partial(crossing_task, size=9, num_crossings=3, obstacle_type="wall"),
    "MiniGrid-SimpleCrossingS11N5-v0": partial(crossing_task, size=11, num_crossings=5, obstacle_type="wall"),
    "MiniGrid-LavaCrossingS9N1-v0": partial(crossing_task, size=9, num_crossings=1),
    "MiniGrid-LavaCrossingS9N2-v0": partial(crossing_task, size=9, num_crossings=2),
    "MiniGrid-LavaCrossingS9N3-v0": partial(crossing_task, size=9, num_crossings=3),
    "MiniGrid-LavaCrossingS11N5-v0": partial(crossing_task, size=11, num_crossings=5),
    "MiniGrid-LavaGapS5-v0": partial(lava_gap_task, size=5),
    "MiniGrid-LavaGapS6-v0": partial(lava_gap_task, size=6),
    "MiniGrid-LavaGapS7-v0": partial(lava_gap_task, size=7),
    "MiniGrid-Unlock-v0": unlock_task,
    "MiniGrid-UnlockPickup-v0": unlock_pickup_task,
    "MiniGrid-KeyCorridorS3R1-v0": partial(key_corridor_task, room_size=3, num_rows=1),
    "MiniGrid-KeyCorridorS3R2-v0": partial(key_corridor_task, room_size=3, num_rows=2),
    "MiniGrid-KeyCorridorS3R3-v0": partial(key_corridor_task, room_size=3, num_rows=3),
    "MiniGrid-KeyCorridorS4R3-v0": partial(key_corridor_task, room_size=4, num_rows=3),
    "MiniGrid-KeyCorridorS5R3-v0": partial(key_corridor_task, room_size=5, num_rows=3),
    "MiniGrid-KeyCorridorS6R3-v0": partial(key_corridor_task, room_size=6, num_rows=3),
    "MiniGrid-MultiRoom-N2-S4-v0": partial(multi_room_task, minNumRooms=2, maxNumRooms=2, maxRoomSize=4),
    "MiniGrid-MultiRoom-N4-S5-v0": partial(multi_room_task, minNumRooms=6, maxNumRooms=6, maxRoomSize=5),
    "MiniGrid-MultiRoom-N4-S5-v1": partial(multi_room_task, minNumRooms=4, maxNumRooms=4, maxRoomSize=5),
    "MiniGrid-MultiRoom-N6-v0": partial(multi_room_task, minNumRooms=6, maxNumRooms=6),
    "MiniGrid-GoToDoor-5x5-v0": partial(go_to_door_task, size=5),
    "MiniGrid-GoToDoor-6x6-v0": partial(go_to_door_task, size=6),
    "MiniGrid-GoToDoor-8x8-v0": partial(go_to_door_task, size=8),
    "Maze-PointGoal-7x7-v0": partial(maze_task, size=7),
    "Maze-PointGoal-9x9-v0": partial(maze_task, size=9),
    "Maze-PointGoal-15x15-v0": partial(maze_task, size=15),
    "Maze-ObjectGoal-7x7-v0": partial(maze_task, size=7, goal="object"),
    "Maze-ObjectGoal-9x9-v0": partial(maze_task, size=9, goal="object"),
    "Maze-ObjectGoal-15x15-v0": partial(maze_task, size=15, goal="object"),
    "Rooms-PointGoal-11x11-v0": partial(maze_task, size=11, room_size=4),
    "Rooms-PointGoal-19x19-v0": partial(maze_task, size=19, room_size=5),
    "Rooms-ObjectGoal-11x11-v0": partial(maze_task, size=11, room_size=4, goal="object"),
    "Rooms-ObjectGoal-19x19-v0": partial(maze_task, size=19, room_size=5, goal="object"),
}
