"""Level functions, one task family a file, and the registry of every grid task."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from visnav.envs.grid.levels.blocked_unlock_pickup import blocked_unlock_pickup_task
from visnav.envs.grid.levels.crossing import crossing_task
from visnav.envs.grid.levels.dist_shift import dist_shift_task
from visnav.envs.grid.levels.door_key import door_key_task
from visnav.envs.grid.levels.dynamic_obstacles import dynamic_obstacles_task
from visnav.envs.grid.levels.empty import empty_task
from visnav.envs.grid.levels.fetch import fetch_task
from visnav.envs.grid.levels.four_rooms import four_rooms_task
from visnav.envs.grid.levels.go_to_door import go_to_door_task
from visnav.envs.grid.levels.go_to_object import go_to_object_task
from visnav.envs.grid.levels.key_corridor import key_corridor_task
from visnav.envs.grid.levels.lava_gap import lava_gap_task
from visnav.envs.grid.levels.locked_room import locked_room_task
from visnav.envs.grid.levels.maze import maze_task
from visnav.envs.grid.levels.memory import memory_task
from visnav.envs.grid.levels.multi_room import multi_room_task
from visnav.envs.grid.levels.obstructed_maze import (
    obstructed_maze_1d_task,
    obstructed_maze_task,
    obstructed_maze_v1_task,
)
from visnav.envs.grid.levels.playground import playground_task
from visnav.envs.grid.levels.put_near import put_near_task
from visnav.envs.grid.levels.red_blue_doors import red_blue_doors_task
from visnav.envs.grid.levels.unlock import unlock_task
from visnav.envs.grid.levels.unlock_pickup import unlock_pickup_task
from visnav.envs.grid.world import Task

two_doors = partial(obstructed_maze_task, agent_room=(2, 1), num_quarters=1, num_rooms_visited=4)

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
    "MiniGrid-Dynamic-Obstacles-5x5-v0": partial(dynamic_obstacles_task, size=5, n_obstacles=2),
    "MiniGrid-Dynamic-Obstacles-Random-5x5-v0": partial(
        dynamic_obstacles_task, size=5, agent_start_pos=None, n_obstacles=2
    ),
    "MiniGrid-Dynamic-Obstacles-6x6-v0": partial(dynamic_obstacles_task, size=6, n_obstacles=3),
    "MiniGrid-Dynamic-Obstacles-Random-6x6-v0": partial(
        dynamic_obstacles_task, size=6, agent_start_pos=None, n_obstacles=3
    ),
    "MiniGrid-Dynamic-Obstacles-8x8-v0": dynamic_obstacles_task,
    "MiniGrid-Dynamic-Obstacles-16x16-v0": partial(dynamic_obstacles_task, size=16, n_obstacles=8),
    "MiniGrid-DistShift1-v0": partial(dist_shift_task, strip2_row=2),
    "MiniGrid-DistShift2-v0": partial(dist_shift_task, strip2_row=5),
    "MiniGrid-Fetch-5x5-N2-v0": partial(fetch_task, size=5, numObjs=2),
    "MiniGrid-Fetch-6x6-N2-v0": partial(fetch_task, size=6, numObjs=2),
    "MiniGrid-Fetch-8x8-N3-v0": fetch_task,
    "MiniGrid-GoToObject-6x6-N2-v0": go_to_object_task,
    "MiniGrid-GoToObject-8x8-N2-v0": partial(go_to_object_task, size=8, numObjs=2),
    "MiniGrid-PutNear-6x6-N2-v0": put_near_task,
    "MiniGrid-PutNear-8x8-N3-v0": partial(put_near_task, size=8, numObjs=3),
    "MiniGrid-LockedRoom-v0": locked_room_task,
    "MiniGrid-MemoryS7-v0": partial(memory_task, size=7),
    "MiniGrid-MemoryS9-v0": partial(memory_task, size=9),
    "MiniGrid-MemoryS11-v0": partial(memory_task, size=11),
    "MiniGrid-MemoryS13-v0": partial(memory_task, size=13),
    "MiniGrid-MemoryS13Random-v0": partial(memory_task, size=13, random_length=True),
    "MiniGrid-MemoryS17Random-v0": partial(memory_task, size=17, random_length=True),
    "MiniGrid-ObstructedMaze-1Dl-v0": partial(obstructed_maze_1d_task, key_in_box=False, blocked=False),
    "MiniGrid-ObstructedMaze-1Dlh-v0": partial(obstructed_maze_1d_task, key_in_box=True, blocked=False),
    "MiniGrid-ObstructedMaze-1Dlhb-v0": obstructed_maze_1d_task,
    "MiniGrid-ObstructedMaze-2Dl-v0": partial(two_doors, key_in_box=False, blocked=False),
    "MiniGrid-ObstructedMaze-2Dlh-v0": partial(two_doors, blocked=False),
    "MiniGrid-ObstructedMaze-2Dlhb-v0": two_doors,
    "MiniGrid-ObstructedMaze-1Q-v0": partial(obstructed_maze_task, num_quarters=1, num_rooms_visited=5),
    "MiniGrid-ObstructedMaze-2Q-v0": partial(
        obstructed_maze_task, agent_room=(2, 1), num_quarters=2, num_rooms_visited=11
    ),
    "MiniGrid-ObstructedMaze-Full-v0": obstructed_maze_task,
    "MiniGrid-ObstructedMaze-2Dlhb-v1": partial(
        obstructed_maze_v1_task, agent_room=(2, 1), num_quarters=1, num_rooms_visited=4
    ),
    "MiniGrid-ObstructedMaze-1Q-v1": partial(obstructed_maze_v1_task, num_quarters=1, num_rooms_visited=5),
    "MiniGrid-ObstructedMaze-2Q-v1": partial(
        obstructed_maze_v1_task, agent_room=(2, 1), num_quarters=2, num_rooms_visited=11
    ),
    "MiniGrid-ObstructedMaze-Full-v1": obstructed_maze_v1_task,
    "MiniGrid-Playground-v0": playground_task,
    "MiniGrid-RedBlueDoors-6x6-v0": partial(red_blue_doors_task, size=6),
    "MiniGrid-RedBlueDoors-8x8-v0": red_blue_doors_task,
    "MiniGrid-BlockedUnlockPickup-v0": blocked_unlock_pickup_task,
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
