"""The data of driving worlds: banks of roads, the state of N worlds, what a task is made of, and all constants.

The map is highway-env's: x to the right, y down, headings in rad clockwise on the map; metres and seconds throughout.
State and geometry are float64 (`REAL`): highways are some km long, where float32 steps by 0.2 mm, and fifteen
substeps of it add up to more than the 1 mm within which a policy step is to be that of the original.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visnav.envs.rng import WORDS

if TYPE_CHECKING:
    from visnav.envs.driving.roads import Network

REAL = np.float64  # dtype of state and geometry
Reals = NDArray[np.float64]

# --- lanes: kinds, and the lines at their sides (LineType of `highway_env/road/lane.py`) -------------------------

STRAIGHT, SINE, CIRCULAR, POLYLINE = range(4)
NO_LINE, STRIPED, CONTINUOUS, CONTINUOUS_LINE = range(4)

LANE_WIDTH = 4.0  # m
LANE_MARGIN = 5.0  # m beyond its ends that still count as on the lane (VEHICLE_LENGTH of `AbstractLane`)

# --- what drives, or stands, in a place of a world's row ---------------------------------------------------------

EGO_META = 0  # lateral and speed control towards a target lane and speed (MDPVehicle)
EGO_DIRECT = 1  # steering and acceleration as given (Vehicle, BicycleVehicle)
IDM, LINEAR, AGGRESSIVE, DEFENSIVE = 2, 3, 4, 5  # traffic of `highway_env/vehicle/behavior.py`
OBSTACLE = 6  # stands and is solid
LANDMARK = 7  # stands and is driven through: a goal
PARKED = 8  # a vehicle that stands: no control, no traffic rules

# --- vehicles (`highway_env/vehicle/{kinematics,controller,behavior}.py`) ----------------------------------------

VEHICLE_LENGTH, VEHICLE_WIDTH = 5.0, 2.0  # m
MAX_SPEED = 40.0  # m/s, forwards and backwards
MAX_STEERING = np.pi / 3  # rad
KP_ACCELERATION = 1 / 0.6  # 1/s
KP_HEADING = 1 / 0.2  # 1/s
KP_LATERAL = 1 / 0.6  # 1/s
TAU_PURSUIT = 0.1  # s ahead whose lane heading is steered to

ACC_MAX = 6.0  # m/s²
LANE_CHANGE_MIN_ACC_GAIN = 0.2  # m/s²
LANE_CHANGE_MAX_BRAKING_IMPOSED = 2.0  # m/s²
LANE_CHANGE_DELAY = 1.0  # s
DELTA_RANGE = (3.5, 4.5)  # of IDM's exponent, where it is random

# numbers of single vehicles, each a field of VEHICLE that may be drawn from a range, by their place in `vehicle_ranges`
LENGTH, WIDTH, MASS, CORNERING_STIFFNESS, DISTANCE_WANTED, TIME_WANTED, COMFORT_ACC_MAX, COMFORT_ACC_MIN = range(8)
VEHICLE_NUMBERS = (
    "length", "width", "mass", "cornering_stiffness", "distance_wanted", "time_wanted", "comfort_acc_max",
    "comfort_acc_min",
)  # fmt: skip

# --- actions (`highway_env/envs/common/action.py`) ---------------------------------------------------------------

META, META_LONGITUDINAL, META_LATERAL, CONTINUOUS_ACTION, DISCRETE_ACTION = range(5)
LANE_LEFT, IDLE, LANE_RIGHT, FASTER, SLOWER = range(5)

# --- reward terms, each with a weight in `Params.weights` --------------------------------------------------------

COLLISION = 0  # 1 when ego has crashed
RIGHT_LANE = 1  # number of the target lane (of the lane, under direct control) / (lanes of its segment - 1)
LANE_NUMBER = 2  # number of ego's lane
HIGH_SPEED = 3  # forward speed v·cos ψ within `reward_speed`, clipped to [0, 1]
SPEED = 4  # speed within `reward_speed`, not clipped
CLIPPED_SPEED = 5  # speed within `reward_speed`, clipped to [0, 1]
SPEED_INDEX = 6  # index of the target speed / (target speeds - 1)
LANE_CHANGE = 7  # 1 when the action was LANE_LEFT or LANE_RIGHT
MERGING_SPEED = 8  # sum of (target speed - speed) / target speed of vehicles on lanes marked `merging`
LANE_CENTERING = 9  # 1 / (1 + `centering_cost` · lateral²)
ACTION = 10  # norm of the action
ARRIVED = 11  # 1 when ego has arrived
LEFT_LANE = 12  # (lanes of the segment - 1 - number of the target lane) / (lanes of the segment - 1)
GOAL = 13  # -√(L1 distance to the goal, weighted by `goal_weights`)
LATERAL = 14  # 1 - (lateral / lane width)², on ego's target lane
EXIT = 15  # 1 when the target lane (the lane, under direct control) is one of arrival
HALF_SPEED_INDEX = 16  # index of the target speed (of the speed among 20, 25, 30 m/s, under direct control) / 2
LANE_SHARE = 17  # number of ego's lane / (lanes of its segment - 1)
TARGET_NUMBER = 18  # number of the target lane (of the lane, under direct control)
ON_ROAD = 19  # 1 when ego is on its lane
TERMS = (
    "collision_reward", "right_lane_reward", "right_lane_reward", "high_speed_reward", "high_speed_reward",
    "high_speed_reward", "high_speed_reward", "lane_change_reward", "merging_speed_reward", "lane_centering_reward",
    "action_reward", "arrived_reward", "left_lane_reward", "goal_reward", "lateral_reward", "goal_reward",
    "high_speed_reward", "left_lane_reward", "right_lane_reward", "on_road_reward",
)  # fmt: skip  # highway-env's names, by number

# --- phases of a slot, as in grid worlds -------------------------------------------------------------------------

PLAYING, ENDED, CHOSEN, FRESH, UNSTARTED = range(5)


# --- records: one array of them instead of one array a field ------------------------------------------------------
# A kernel that passes a hundred arrays from function to function takes minutes to compile. A field of all records is
# an array again, in kernels too: `roads.lanes.width[r, l]`, `world.vehicles.x[i, v]`.

LANE = np.dtype(
    [
        ("kind", np.int8),  # STRAIGHT, SINE, CIRCULAR, POLYLINE; -1 where there is no lane
        ("x", REAL),  # m: start of a straight or sine lane's axis, centre of a circle
        ("y", REAL),
        ("heading", REAL),  # rad, of the axis
        ("cos", REAL),  # of that heading
        ("sin", REAL),
        ("length", REAL),  # m
        ("amplitude", REAL),  # m, of a sine
        ("pulsation", REAL),  # rad/m, of a sine
        ("phase", REAL),  # rad: of a sine at its start; angle from the centre to the start of a circle
        ("radius", REAL),  # m, of a circle
        ("turn", REAL),  # of a circle: 1 clockwise on the map, -1 otherwise
        ("first_point", np.int32),  # of a polyline, in `Roads.points`
        ("num_points", np.int32),
        ("width", REAL),  # m
        ("speed_limit", REAL),  # m/s, NaN = none
        ("left_line", np.int8),  # NO_LINE, STRIPED, CONTINUOUS (follows the lane), CONTINUOUS_LINE
        ("right_line", np.int8),
        ("forbidden", np.bool_),  # no vehicle may change to it
        ("priority", np.int8),  # the higher has the right of way
        ("merging", np.bool_),  # MERGING_SPEED looks at vehicles on it
        ("arrival", np.bool_),  # ego has arrived on it, `arrival_distance` past its start
        ("segment", np.int16),  # -1 where there is no lane
        ("number", np.int16),  # in its segment, 0 = leftmost
    ],
    align=True,
)
SEGMENT = np.dtype(
    [
        ("from_node", np.int16),  # -1 where there is no segment, in all fields
        ("to_node", np.int16),
        ("first_lane", np.int16),
        ("segment_lanes", np.int16),
    ],
    align=True,
)
VEHICLE = np.dtype(
    [
        ("x", REAL),  # m, of the vehicle's middle
        ("y", REAL),
        ("heading", REAL),  # rad
        ("speed", REAL),  # m/s, negative backwards
        ("length", REAL),  # m
        ("width", REAL),  # m
        ("target_speed", REAL),  # m/s
        ("steering", REAL),  # rad, as last commanded
        ("acceleration", REAL),  # m/s², as last commanded
        ("lateral_speed", REAL),  # m/s, of the dynamic bicycle
        ("yaw_rate", REAL),  # rad/s, of the dynamic bicycle
        ("impact_x", REAL),  # m that it is displaced by in its next substep, where `impacted`
        ("impact_y", REAL),
        ("mass", REAL),  # kg; 0 of what stands, and of a vehicle until it is fitted (`spawning.fit_out`)
        ("cornering_stiffness", REAL),  # N/rad, of one tyre of the dynamic bicycle
        ("distance_wanted", REAL),  # m between middles, of two standing cars of VEHICLE_LENGTH
        ("time_wanted", REAL),  # s, headway
        ("comfort_acc_max", REAL),  # m/s²
        ("comfort_acc_min", REAL),  # m/s², negative
        ("timer", REAL),  # s since the last lane change was thought of
        ("delta", REAL),  # exponent of IDM
        ("gain_speed", REAL),  # of linear traffic: acceleration per speed error
        ("gain_approach", REAL),  # … per approach to who is ahead
        ("gain_room", REAL),  # … per lack of room
        ("gain_heading", REAL),  # steering per heading error
        ("gain_lateral", REAL),  # … per lateral error
        ("lane", np.int16),  # the closest
        ("target_lane", np.int16),  # that it follows; that of LATERAL, under direct control
        ("route_at", np.int16),  # place in its route
        ("behaviour", np.int8),  # EGO_META, …, PARKED
        ("present", np.bool_),  # whether the place is taken
        ("crashed", np.bool_),
        ("hit", np.bool_),  # a landmark that something has touched
        ("impacted", np.bool_),
        ("check_collisions", np.bool_),  # of two vehicles one at least must, or they pass through each other
        ("lane_changes", np.bool_),  # whether MOBIL is asked
        ("yielding", np.bool_),  # whether it stops for another with the right of way
    ],
    align=True,
)


def make_records(shape: tuple[int, ...], dtype: np.dtype[np.void]) -> Any:
    """Zeros whose fields are attributes, of the array and of each record."""
    return np.zeros(shape, dtype).view(np.recarray)


class Roads(NamedTuple):
    """A bank of R roads of up to L lanes in S segments, read only; made by `roads.make_roads`.

    A segment is what lies between two nodes: its lanes are numbered from the left, and follow one another in the lane
    axis. Lanes are in the order in which highway-env searches them.
    """

    lanes: Any  # (R, L) LANE
    segments: Any  # (R, S) SEGMENT
    num_lanes: NDArray[np.int32]  # (R,)
    points: Reals  # (R, P, 4) x, y, and unit tangent: polylines' points, 1 m apart
    following: NDArray[np.int16]  # (R, S, K) segments that begin where this one ends, then -1
    preceding: NDArray[np.int16]  # (R, S, K) segments that end where this one begins, then -1
    toward: NDArray[np.int16]  # (R, D, D) segment that begins the shortest way from a node to another, -1 = none


class World(NamedTuple):
    """The episodes that N slots are playing, one row each.

    A row has V places for vehicles: 0 is ego, then traffic in the order in which it collides, then what stands
    (OBSTACLE, LANDMARK). Who leaves empties its place, and who comes takes an empty one. Lanes are numbers along the
    lane axis of the row's road.
    """

    vehicles: Any  # (N, V) VEHICLE
    route: NDArray[np.int16]  # (N, V, K, 2) segment, and number of the lane in it or -1; segment -1 = end
    ego_turn: NDArray[np.int32]  # (N,) places of traffic that come before ego where pairs of vehicles are looked at
    speed_index: NDArray[np.int32]  # (N,) of ego's target speed
    road: NDArray[np.int32]  # (N,) index into the bank
    goal: Reals  # (N, 3) x, y, heading
    step_count: NDArray[np.int32]  # (N,) policy steps since the reset
    time: Reals  # (N,) s since the reset, added up as the original does
    substeps: NDArray[np.int32]  # (N,) simulation steps since the reset (and before it, where traffic warms up)
    rng: NDArray[np.uint64]  # (N, 6) the episode's generator
    phase: NDArray[np.uint8]  # (N,) PLAYING, ENDED, CHOSEN, FRESH or UNSTARTED


class Tables(NamedTuple):
    """Where the vehicles of each row are on each lane of its road; filled whenever they move, no part of the state."""

    along: Reals  # (N, L, V) m from the lane's start
    across: Reals  # (N, L, V) m to the right of its middle
    near: Reals  # (N, L, V) as `along`, but NaN where no driver looks: beside the lane, absent, or a landmark
    order: NDArray[np.int16]  # (N, L, V) the `seen` vehicles of `near`, rearmost first; as of when traffic last decided
    places: Reals  # (N, L, V) their `near`, in that order
    seen: NDArray[np.int16]  # (N, L)
    x: Reals  # (N, V) m, of the vehicles' middles: what collisions read of every pair, side by side
    y: Reals  # (N, V) m
    radius: Reals  # (N, V) m from a vehicle's middle to its corners
    ahead: Reals  # (N, V, M, 3) x, y, heading at M coming moments, where traffic is regulated; else (N, 0, 0, 3)


class Slots(NamedTuple):
    """Where the slots' episodes come from; read and written by resets only."""

    stream: NDArray[np.uint64]  # (N, 6) generator of level numbers
    next_level: NDArray[np.int64]  # (N,) level to play next, -1 = draw one
    level: NDArray[np.int64]  # (N,) level being played
    layout: NDArray[np.uint64]  # (N,) hash of its start: road, and where everything stands, to a millimetre


class Outcome(NamedTuple):
    """What a step returns beside the observation."""

    reward: NDArray[np.float64]  # (N,)
    terminated: NDArray[np.bool_]  # (N,)
    truncated: NDArray[np.bool_]  # (N,)
    success: NDArray[np.bool_]  # (N,) over, and where the task leads (goal, exit), or on the road without a crash
    terms: NDArray[np.float64]  # (N, len(TERMS)) before weighting; those of the task's `weights` are computed


GOAL_SCALES = (100.0, 100.0, 5.0, 5.0, 1.0, 1.0)  # m, m, m/s, m/s, 1, 1: of KinematicsGoal (`parking_env.py`)


class Params(NamedTuple):
    """What every row of a batch shares. All tasks have the same types, so that kernels are compiled once."""

    substeps: int  # simulation steps of a policy step
    dt: float  # s, of a simulation step
    policy_dt: float  # s, of a policy step
    duration: float  # s until truncation
    action: int  # META, …
    target_speeds: Reals  # (S,) m/s
    acceleration_low: float  # m/s², of direct control
    acceleration_high: float
    steering_low: float  # rad
    steering_high: float
    actions_per_axis: int  # of DISCRETE_ACTION
    longitudinal: bool  # whether actions change the speed
    lateral: bool  # whether actions steer
    dynamical: bool  # whether ego is a dynamic bicycle
    min_speed: float  # m/s, of ego
    max_speed: float
    vehicle_ranges: Reals  # (len(VEHICLE_NUMBERS), 2) that vehicles draw from; NaN = as they were put
    connected_neighbours: bool  # whether neighbours are also sought on the segments before and after
    regulation_period: int  # substeps from one time that traffic yields by priority to the next, 0 = it never does
    warm_up: int  # substeps that traffic drives before the episode
    renewed: bool  # whether traffic comes and goes after each policy step
    weights: Reals  # (len(TERMS),)
    computed: NDArray[np.bool_]  # (len(TERMS),) terms that the task has, if only with a weight of 0
    centering_cost: float  # 1/m², of LANE_CENTERING
    goal_weights: Reals  # (6,) of x, y, vx, vy, cos and sin of the heading, in units of GOAL_SCALES
    reward_low: float  # m/s
    reward_high: float
    worst: float  # sum of the terms that maps to 0
    best: float  # … and to 1; worst = 0, best = 1 leaves the sum as it is
    clip_reward: bool  # whether what the sum maps to is clipped to [0, 1]
    off_road_reward: float  # the reward off the road, NaN = as on it
    arrived_reward: float  # what replaces the sum on arrival, NaN = nothing
    end_crash: bool
    end_offroad: bool
    end_x: float  # m: ego beyond it terminates; infinity = nowhere
    end_arrived: bool
    arrival_distance: float  # m
    goal_distance: float  # of GOAL, that ends; NaN = none
    action_repeat: int  # policy steps of a step


def nothing(i, world, roads, args):  # type: ignore[no-untyped-def]
    """Called where a task has nothing to do."""


@dataclass(frozen=True)
class Task:
    """A driving task: its road, its traffic, and what the rules need to know. Tasks are data.

    Attributes:
        layout: `layout(k) -> Network`: road k of the task's bank, built with `visnav.envs.driving.roads`.
        spawn: `spawn(i, world, roads, args)`, a plain function (it is compiled for us) that fills row i: it
            draws from `world.rng[i]`, and puts vehicles with the helpers of `visnav.envs.driving.spawning`. Nothing is
            present in the row before.
        max_vehicles: V.
        args: numbers that `spawn`, `enter` and `renew` receive, as one float64 array.
        warm_up: s that what `spawn` has put drives before the episode.
        enter: like `spawn`, called after the warm-up; where there is one, it is `enter` that puts ego.
        renew: like `spawn`, called after each policy step: takes vehicles away, and puts others in empty places.
        num_roads: of the bank; level k plays road k modulo this.
        route_length: K, entries of a vehicle's route.
        simulation_frequency, policy_frequency: Hz.
        duration: s until truncation, infinity for never.
        max_steps: policy steps until truncation, None for no such limit.
        action: "DiscreteMetaAction", "ContinuousAction" or "DiscreteAction".
        longitudinal, lateral: which of the two the action controls.
        target_speeds: m/s, two at least; of DiscreteMetaAction.
        acceleration_range, steering_range: m/s² and rad, of direct control; speed_range: m/s.
        dynamical: whether ego is a dynamic bicycle.
        vehicle_ranges: by name of VEHICLE_NUMBERS, (low, high) that every vehicle's is drawn from; both the same for
            all to have it. Numbers that are not named are those of `highway_env/vehicle/{behavior,dynamics}.py`.
        weights: of reward terms, by number (COLLISION, …); `info` has all of them, those that weigh 0 too.
        reward_speed_range: m/s that the speed terms map to [0, 1].
        reward_range: sums of terms that map to [0, 1]; None leaves the sum as it is.
        regulated: whether traffic yields by priority, twice a second.
        lanes: beside each other where ego starts, which scales y of the kinematics observation.
        observation: keywords of the original's Kinematics observation that are not its defaults.
        camera: the one that is used where none is asked for.
    Others are those of `Params` of the same name.
    """

    layout: Callable[[int], Network]
    spawn: Callable[..., None]
    max_vehicles: int
    args: tuple[float, ...] = ()
    num_roads: int = 1
    warm_up: float = 0.0
    enter: Callable[..., None] = nothing
    renew: Callable[..., None] = nothing
    route_length: int = 1
    simulation_frequency: int = 15
    policy_frequency: int = 1
    duration: float = np.inf
    max_steps: int | None = None
    action: str = "DiscreteMetaAction"
    longitudinal: bool = True
    lateral: bool = True
    target_speeds: tuple[float, ...] = (20.0, 25.0, 30.0)
    acceleration_range: tuple[float, float] = (-5.0, 5.0)
    steering_range: tuple[float, float] = (-np.pi / 4, np.pi / 4)
    speed_range: tuple[float, float] = (-MAX_SPEED, MAX_SPEED)
    actions_per_axis: int = 3
    dynamical: bool = False
    vehicle_ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    connected_neighbours: bool = False
    regulated: bool = False
    weights: Mapping[int, float] = field(default_factory=dict)
    centering_cost: float = 4.0
    goal_weights: tuple[float, ...] = (1.0, 0.3, 0.0, 0.0, 0.02, 0.02)
    reward_speed_range: tuple[float, float] = (20.0, 30.0)
    reward_range: tuple[float, float] | None = None
    clip_reward: bool = False
    off_road_reward: float = np.nan
    arrived_reward: float = np.nan
    end_crash: bool = True
    end_offroad: bool = False
    end_x: float = np.inf
    end_arrived: bool = False
    arrival_distance: float = 0.0
    goal_distance: float = np.nan
    lanes: int = 1
    observation: Mapping[str, object] = field(default_factory=dict)
    camera: str = "birdseye"


def make_world(num_envs: int, vehicles: int, route_length: int) -> World:
    """N empty rows of V places."""
    return World(
        vehicles=make_records((num_envs, vehicles), VEHICLE),
        route=np.full((num_envs, vehicles, route_length, 2), -1, np.int16),
        ego_turn=np.zeros(num_envs, np.int32),
        speed_index=np.zeros(num_envs, np.int32),
        road=np.zeros(num_envs, np.int32),
        goal=np.zeros((num_envs, 3), REAL),
        step_count=np.zeros(num_envs, np.int32),
        time=np.zeros(num_envs, REAL),
        substeps=np.zeros(num_envs, np.int32),
        rng=np.zeros((num_envs, WORDS), np.uint64),
        phase=np.full(num_envs, UNSTARTED, np.uint8),
    )


def make_tables(num_envs: int, lanes: int, vehicles: int, moments: int) -> Tables:
    """Room for the tables of N rows; `moments` that traffic is predicted at, 0 where it is not regulated."""
    along, across, near, places = np.full((4, num_envs, lanes, vehicles), np.nan, REAL)
    x, y, radius = np.full((3, num_envs, vehicles), np.nan, REAL)
    order, seen = np.zeros((num_envs, lanes, vehicles), np.int16), np.zeros((num_envs, lanes), np.int16)
    ahead = np.zeros((num_envs, vehicles if moments else 0, moments, 3), REAL)
    return Tables(along, across, near, order, places, seen, x, y, radius, ahead)


def make_slots(num_envs: int) -> Slots:
    """N rows that have played nothing."""
    return Slots(
        stream=np.zeros((num_envs, WORDS), np.uint64),
        next_level=np.full(num_envs, -1, np.int64),
        level=np.full(num_envs, -1, np.int64),
        layout=np.zeros(num_envs, np.uint64),
    )


def make_outcome(num_envs: int) -> Outcome:
    """N rows of nothing happened."""
    terminated, truncated, success = np.zeros((3, num_envs), np.bool_)
    return Outcome(np.zeros(num_envs), terminated, truncated, success, np.zeros((num_envs, len(TERMS))))
