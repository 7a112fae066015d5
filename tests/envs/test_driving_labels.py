"""Labels of every driving ID against rays, rectangles and lanes in float64: random scenes, sizes and lenses."""

from __future__ import annotations

import warnings
import zlib
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from driving_oracle import Camera, cast, ground_at, rays_of, rectangles
from gymnasium.utils.env_checker import check_env
from numpy.typing import NDArray

import visnav.envs  # noqa: F401  (registers the IDs)
from visnav.envs.driving.layouts import TASKS
from visnav.envs.driving.lens import EGO, FAR, GOAL, GRASS, KERB, MARKING, OBSTACLE, ROAD, SKY, TRAFFIC
from visnav.envs.driving.simulation import DrivingSimulation
from visnav.envs.driving.world import LANDMARK
from visnav.envs.driving.world import OBSTACLE as IS_OBSTACLE

SCENES = 3  # of each ID
GROUND_CLASSES = {SKY, GRASS, ROAD, KERB, MARKING}

every_id = pytest.mark.parametrize("name", sorted(TASKS))


def scenes(name: str, rng: np.random.Generator, **options: Any) -> tuple[DrivingSimulation, dict[str, NDArray[Any]]]:
    """SCENES worlds some random steps into an episode of random levels, and all labels of what is seen."""
    envs = gym.make_vec(f"visnav/{name}", num_envs=SCENES, **options)
    envs.reset(seed=int(rng.integers(2**31)))
    envs.action_space.seed(int(rng.integers(2**31)))
    for _ in range(rng.integers(6)):
        envs.step(envs.action_space.sample())
    simulation = envs.unwrapped.simulation  # type: ignore[attr-defined]
    assert simulation._lens is not None
    return simulation, simulation.annotate(simulation._lens.labels)


def kinds_of(simulation: DrivingSimulation, i: int, instance: NDArray[Any]) -> NDArray[np.int64]:
    """The class that each instance has to have; -1 for background."""
    behaviour = simulation.world.vehicles.behaviour[i]
    of_place = np.select([behaviour == LANDMARK, behaviour == IS_OBSTACLE], [GOAL, OBSTACLE], TRAFFIC)
    of_place[0] = EGO
    return np.concatenate([[-1], of_place])[instance]


def check_boxes(simulation: DrivingSimulation, i: int, labels: dict[str, Any]) -> None:
    """Boxes are tight, half open, and of the class that semantic shows."""
    instance, semantic, target = labels["instance"][i, ..., 0], labels["semantic"][i, ..., 0], labels["boxes"][i]
    assert target["ids"].tolist() == sorted(set(np.unique(instance)) - {0})
    for (x0, y0, x1, y1), label, number in zip(target["boxes"], target["labels"], target["ids"], strict=True):
        rows, columns = np.nonzero(instance == number)
        assert [x0, y0, x1, y1] == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert (semantic[rows, columns] == label).all()
    kinds = kinds_of(simulation, i, instance)
    assert (semantic[instance > 0] == kinds[instance > 0]).all()
    assert set(np.unique(semantic[instance == 0]).tolist()) <= GROUND_CLASSES


def is_pure(label: NDArray[np.int64], clear: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where a pixel of so many metres shows one class only; lines are narrow, and looked at where pixels are small."""
    return np.where(label == MARKING, (clear > 0.04) & (size < 0.15), clear > 0.08 + 1.2 * size)


@every_id
def test_the_driver_sees_what_rays_meet(name: str) -> None:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    camera = Camera(
        (int(rng.integers(48, 130)), int(rng.integers(64, 170))), rng.uniform(45, 110),
        (rng.uniform(-1, 2.4), rng.uniform(-0.9, 0.9), rng.uniform(1.6, 4.0)), rng.uniform(-3, 25),
    )  # fmt: skip
    simulation, labels = scenes(name, rng, camera="front", **camera.options)
    checked = []
    for i in range(SCENES):
        eye, ray = rays_of(camera, simulation.world, i)
        depth, instance = cast(camera, simulation.world, i)
        shown, semantic = labels["instance"][i, ..., 0], labels["semantic"][i, ..., 0]
        sharp = ~np.isfinite(depth) | (depth < 240)  # vehicles further than 250 m are not drawn
        assert (shown != instance)[sharp].mean() < 4e-3  # a ray that grazes an edge may fall to either side
        check_boxes(simulation, i, labels)
        down = -ray[..., 2]
        plane = np.where(down * FAR > eye[2], eye[2] / np.maximum(down, 1e-9), float(FAR))
        want = np.where(instance > 0, depth, plane)
        same = (shown == instance) & sharp
        assert np.quantile(abs(labels["depth"][i, ..., 0] / want - 1)[same], 0.99) < 1e-3
        # ground whose class does not change within a pixel of it
        wide, long = plane / camera.focal, plane**2 / (eye[2] * camera.focal)
        on_ground = (shown == 0) & (instance == 0) & (plane < 60)
        points = (eye[:2] + plane[..., None] * ray[..., :2])[on_ground]
        roads, road = simulation.roads, int(simulation.world.road[i])
        label, clear = ground_at(roads, road, simulation.networks[road].paved, points)
        pure = is_pure(label, clear, np.maximum(wide, long)[on_ground])
        wrong = (semantic[on_ground] != label) & pure
        assert wrong.mean() < 1e-3, [(points[k], label[k], semantic[on_ground][k]) for k in np.flatnonzero(wrong)[:5]]
        checked.append(label[pure])
        assert set(np.unique(semantic[plane >= FAR][shown[plane >= FAR] == 0]).tolist()) <= {SKY, GRASS}  # hills
    assert (np.concatenate(checked) == ROAD).sum() > 300


@every_id
@pytest.mark.parametrize("camera", ["birdseye", "topdown"])
def test_from_above_pixels_are_what_lies_there(name: str, camera: str) -> None:
    rng = np.random.default_rng(zlib.crc32(f"{name}/{camera}".encode()))
    height, width = int(rng.integers(90, 160)), int(rng.integers(90, 160))
    scale, ego_row = rng.uniform(0.07, 0.14), rng.uniform(0.2, 0.9)
    options = {"metres_per_pixel": scale, "ego_row": ego_row} if camera == "birdseye" else {}
    simulation, labels = scenes(name, rng, camera=camera, image_size=(height, width), **options)
    rows, columns = np.mgrid[:height, :width] + 0.5
    checked = []
    for i in range(SCENES):
        vehicles = simulation.world.vehicles
        road = int(simulation.world.road[i])
        if camera == "birdseye":
            ahead, aside, heading = (
                (ego_row * height - rows) * scale,
                (columns - width / 2) * scale,
                vehicles.heading[i, 0],
            )
            x = vehicles.x[i, 0] + ahead * np.cos(heading) - aside * np.sin(heading)
            y = vehicles.y[i, 0] + ahead * np.sin(heading) + aside * np.cos(heading)
        else:
            x0, y0, x1, y1 = simulation._ground.extent[road]
            spans = np.minimum([x1 - x0, y1 - y0], 180)
            middle = [
                (low + high) / 2 if high - low <= 180 else ego
                for low, high, ego in ((x0, x1, vehicles.x[i, 0]), (y0, y1, vehicles.y[i, 0]))
            ]
            scale = 1.04 * max(spans[0] / width, spans[1] / height)
            x, y = middle[0] + (columns - width / 2) * scale, middle[1] + (rows - height / 2) * scale
        instance, semantic = labels["instance"][i, ..., 0], labels["semantic"][i, ..., 0]
        assert (rectangles(simulation.world, i, x, y) != instance).mean() < 1e-3
        check_boxes(simulation, i, labels)
        free = instance == 0
        paved = simulation.networks[road].paved
        label, clear = ground_at(simulation.roads, road, paved, np.stack([x[free], y[free]], axis=1))
        pure = is_pure(label, clear, np.full(label.shape, scale))
        wrong = (semantic[free] != label) & pure
        assert wrong.mean() < 1e-3
        checked.append(label[pure])
    found = np.concatenate(checked)
    assert len(found) > 1000
    if camera == "birdseye" and not name.startswith("parking"):  # the lot is wide, and lines only at its edges
        assert (found == ROAD).sum() > 300
        assert (found == MARKING).sum() > 10


@every_id
def test_an_observation_of_every_sensor_is_what_annotate_tells(name: str) -> None:
    sensors = ("rgb", "depth", "semantic", "instance")
    one = gym.make(f"visnav/{name}", camera="front", sensors=sensors, image_size=(24, 40))
    many = gym.make_vec(f"visnav/{name}", num_envs=2, camera="front", sensors=sensors, image_size=(24, 40))
    seen, _ = one.reset(seed=6)
    batch, _ = many.reset(seed=5)
    one.action_space.seed(1)
    for step in range(3):
        assert seen in one.observation_space
        assert batch in many.observation_space
        labels = one.unwrapped.annotate(sensors[1:])  # type: ignore[attr-defined]
        for sensor in sensors:
            assert (seen[sensor] == batch[sensor][1]).all(), (sensor, step)
            assert sensor == "rgb" or (labels[sensor] == seen[sensor]).all()
        action = one.action_space.sample()
        seen, _, terminated, truncated, _ = one.step(action)
        batch, *_ = many.step(np.stack([action, action]))
        if terminated or truncated:
            break


@pytest.mark.parametrize("name", ["visnav/highway-fast-v0", "visnav/MiniGrid-DoorKey-8x8-v0"])
def test_labels_are_written_into_arrays_that_are_given(name: str) -> None:
    camera = "front" if "highway" in name else "first_person"
    envs = gym.make_vec(name, num_envs=3, camera=camera, image_size=(24, 40)).unwrapped
    envs.reset(seed=2)
    drawn = envs.annotate(("rgb", "semantic", "boxes"))  # type: ignore[attr-defined]
    whole = np.full((5, 24, 40, 3), 7, np.uint8)
    again = envs.annotate(("rgb", "semantic", "boxes"), out={"rgb": whole[1:4]})  # type: ignore[attr-defined]
    assert again["rgb"].base is whole
    assert (whole[1:4] == drawn["rgb"]).all()
    assert (whole[[0, 4]] == 7).all()
    assert (again["semantic"] == drawn["semantic"]).all()
    assert [target["ids"].tolist() for target in again["boxes"]] == [
        target["ids"].tolist() for target in drawn["boxes"]
    ]
    for given in (whole, whole[1:4].astype(np.int16), np.zeros((3, 40, 24, 3), np.uint8).swapaxes(1, 2)):
        with pytest.raises(ValueError, match=r"out for 'rgb' is a writable C-contiguous uint8\(3, 24, 40, 3\) array"):
            envs.annotate(("rgb",), out={"rgb": given})  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="unknown array in out 'rgb'; allowed: semantic"):
        envs.annotate(("semantic", "boxes"), out={"rgb": whole[1:4]})  # type: ignore[attr-defined]


def test_sensors_that_a_camera_lacks_are_told_apart() -> None:
    with pytest.raises(
        ValueError, match="unknown sensor for camera='birdseye' 'depth'; allowed: instance, rgb, semantic"
    ):
        gym.make("visnav/highway-fast-v0", camera="birdseye", sensors=("rgb", "depth"))
    with pytest.raises(ValueError, match="unknown sensor for camera='kinematics' 'rgb'; allowed: kinematics"):
        gym.make("visnav/highway-fast-v0", camera="kinematics", sensors=("rgb",))
    env = gym.make("visnav/highway-fast-v0", camera="birdseye")
    env.reset(seed=0)
    with pytest.raises(ValueError, match="unknown label for camera='birdseye' 'depth'"):
        env.unwrapped.annotate(("depth",))  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["highway-fast-v0", "parking-v0", "racetrack-v0"])
def test_both_checks_of_gymnasium_and_sb3_pass_with_every_sensor(name: str) -> None:
    env = gym.make(f"visnav/{name}", camera="front", sensors=("rgb", "depth", "semantic", "instance"))
    check_env(env.unwrapped, skip_render_check=True)
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Stable-Baselines3 would rather have pictures of a byte and boxes of -1 to 1
        checker.check_env(env)
