"""Driving cameras: labels are right, pictures agree with one another, colours stay apart."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from driving_oracle import Camera, cast, project
from driving_scenes import bank, highway, position, traffic
from numpy.typing import NDArray

import visnav.envs  # noqa: F401  (registers the IDs)
from visnav.envs.driving import decor
from visnav.envs.driving.cameras import CAMERAS, CameraOptions, DrivingCamera
from visnav.envs.driving.ground import make_ground, trace_lanes
from visnav.envs.driving.lens import EGO, GOAL, GRASS, KERB, MARKING, OBSTACLE, ROAD, SEMANTIC_CLASSES, SKY, TRAFFIC
from visnav.envs.driving.roads import make_roads
from visnav.envs.driving.world import CIRCULAR, LANDMARK, NO_LINE, POLYLINE, SINE, STRAIGHT, STRIPED, World
from visnav.envs.driving.world import OBSTACLE as IS_OBSTACLE

ROADS = bank()
GROUND = make_ground(ROADS)
SIZE = (128, 160)
PITCH, MOUNT, FIELD_OF_VIEW = 7.0, (0.5, 0.1, 1.4), 80.0
CAMERA = Camera(SIZE, FIELD_OF_VIEW, MOUNT, PITCH)


def draw(name: str, world: World, levels: Any = None, sensors: Any = None, **options: Any) -> dict[str, NDArray[Any]]:
    """Every picture of a camera, (N, ...)."""
    number = len(world.vehicles.x)
    camera = DrivingCamera(name, GROUND, number, world.vehicles.x.shape[1], CameraOptions(**options))
    pictures = {
        key: np.zeros((number, *space.shape), space.dtype)
        for key, space in camera.spaces.items()
        if sensors is None or key in sensors
    }
    camera.draw(0, number, world, np.arange(number) if levels is None else np.asarray(levels), pictures)
    return pictures


def front(world: World, **options: Any) -> dict[str, NDArray[Any]]:
    return draw("front", world, **(CAMERA.options | options))


def looking_at(point: NDArray[np.float64], heading: float, back: float, road: int = 1) -> World:
    """One world whose ego stands `back` m before a point and looks at it."""
    world = traffic(1, 1)
    world.vehicles.heading[0, 0] = heading
    world.vehicles.x[0, 0], world.vehicles.y[0, 0] = point - back * np.array([np.cos(heading), np.sin(heading)])
    world.road[0] = road
    return world


def nobody(world: World) -> World:
    """The same world with all vehicles gone, ego too."""
    gone = world._replace(vehicles=world.vehicles.copy())
    gone.vehicles.present[...] = False
    return gone


def lane_points() -> list[tuple[int, NDArray[np.float64], float, int]]:
    """(kind, point, heading, class) of points in the middle of lines, lanes and grass, on every kind of lane."""
    found = []
    for k in range(int(ROADS.num_lanes[1])):
        kind, width = int(ROADS.lanes.kind[1, k]), float(ROADS.lanes.width[1, k])
        path = trace_lanes(ROADS, 1)
        for s in np.linspace(8, ROADS.lanes.length[1, k] - 8, 7):
            if kind == POLYLINE:
                first, last = path.first[k], path.first[k + 1]
                steps = np.array([s, s + 0.01])
                near = np.stack(
                    [np.interp(steps, path.s[first:last], axis[first:last]) for axis in (path.x, path.y)], 1
                )
            else:
                near = position(ROADS, 1, k, np.array([s, s + 0.01]), 0.0)
            heading = float(np.arctan2(*(near[1] - near[0])[::-1]))
            normal = np.array([-np.sin(heading), np.cos(heading)])
            found.append((kind, near[0], heading, ROAD))
            for side, line in ((-1, ROADS.lanes.left_line[1, k]), (1, ROADS.lanes.right_line[1, k])):
                if line not in (NO_LINE, STRIPED):
                    found.append((kind, near[0] + side * width / 2 * normal, heading, MARKING))
                    found.append((kind, near[0] + side * (width / 2 - 0.5) * normal, heading, ROAD))
                    found.append((kind, near[0] + side * (width / 2 + 0.65) * normal, heading, KERB))
                    found.append((kind, near[0] + side * (width / 2 + 1.6) * normal, heading, GRASS))
    return found


def test_a_ground_point_lands_on_the_pixel_that_shows_it_from_the_drivers_place() -> None:
    kinds = set()
    for kind, point, heading, label in lane_points():
        world = looking_at(point, heading + 0.1, 7.0)
        column, row, depth = project(CAMERA, world, 0, np.array([[*point, 0.0]]))[0]
        pictures = front(world)
        pixel = 0, int(row), int(column), 0
        assert pictures["semantic"][pixel] == label, (kind, point, SEMANTIC_CLASSES[pictures["semantic"][pixel]])
        assert abs(pictures["depth"][pixel] - depth) <= depth**2 / MOUNT[2] / CAMERA.focal  # within a pixel's height
        kinds.add((kind, label))
    assert {kind for kind, label in kinds if label == MARKING} == {STRAIGHT, SINE, CIRCULAR, POLYLINE}


@pytest.mark.parametrize("scale", [0.05, 0.1])
def test_a_ground_point_lands_on_the_pixel_that_shows_it_from_above(scale: float) -> None:
    height, width = 120, 90
    for kind, point, heading, label in lane_points():
        world = looking_at(point, heading + 0.3, 1.5)
        semantic = draw("birdseye", nobody(world), image_size=(height, width),
                        metres_per_pixel=scale, ego_row=0.7)["semantic"]  # fmt: skip
        ahead = np.array([np.cos(world.vehicles.heading[0, 0]), np.sin(world.vehicles.heading[0, 0])])
        offset = point - [world.vehicles.x[0, 0], world.vehicles.y[0, 0]]
        row = 0.7 * height - offset @ ahead / scale
        column = width / 2 + offset @ np.array([-ahead[1], ahead[0]]) / scale
        assert semantic[0, int(row), int(column), 0] == label, (kind, point, label)


def test_stripes_are_where_they_are_said_to_be() -> None:
    world = looking_at(np.array([804.0, 2.0]), 0.0, 0.0, road=0)
    semantic = draw("birdseye", nobody(world), image_size=(200, 40),
                    metres_per_pixel=0.08, ego_row=0.5)["semantic"][0, :, 20, 0]  # fmt: skip
    x = 804 + (99.5 - np.arange(200)) * 0.08
    inside = (x % 8 > 0.1) & (x % 8 < 2.9)
    outside = (x % 8 > 3.1) & (x % 8 < 7.9)
    assert (semantic[inside] == MARKING).all()
    assert (semantic[outside] == ROAD).all()


def test_depth_of_the_ground_is_that_of_the_plane() -> None:
    world = traffic(3, 1)
    depth = front(world)["depth"][..., 0]
    v = (np.arange(SIZE[0]) + 0.5 - SIZE[0] / 2) / CAMERA.focal
    down = np.sin(np.radians(PITCH)) + v * np.cos(np.radians(PITCH))
    plane = np.where(down > MOUNT[2] / 500, MOUNT[2] / np.maximum(down, 1e-9), 500)
    near = plane < 100
    assert np.abs(depth - plane[None, :, None])[:, near].max() < 1e-3
    assert np.allclose(depth, plane[None, :, None], rtol=1e-5)


# --- vehicles against rays in float64 -------------------------------------------------------------------------


def test_cars_are_where_rays_meet_them_and_as_deep() -> None:
    world = traffic(6, 12, seed=3, heading_spread=0.3)
    pictures = front(world)
    seen = set()
    for i in range(len(world.vehicles.x)):
        depth, instance = cast(CAMERA, world, i)
        shown = pictures["instance"][i, ..., 0]
        assert (shown != instance).mean() < 2e-3  # a ray that grazes an edge may fall to either side
        both = (shown == instance) & (instance > 0)
        error = np.abs(pictures["depth"][i, ..., 0] - depth)[both]
        assert (error < 1e-3).mean() > 0.999 if both.any() else instance.sum() < 10
        seen |= set(instance[both])
    assert len(seen) > 8


@pytest.mark.parametrize("camera", CAMERAS)
def test_semantic_instance_and_boxes_agree(camera: str) -> None:
    world = traffic(8, 14, seed=5)
    world.vehicles.behaviour[:, 4] = IS_OBSTACLE
    world.vehicles.behaviour[:, 5] = LANDMARK
    world.vehicles.present[:, 6] = False
    pictures = draw(camera, world, image_size=(96, 128))
    instance, semantic = pictures["instance"][..., 0], pictures["semantic"][..., 0]
    want = {0: {SKY, GRASS, ROAD, KERB, MARKING}, 1: {EGO}, 5: {OBSTACLE}, 6: {GOAL}}
    for number in np.unique(instance):
        assert set(np.unique(semantic[instance == number])) <= want.get(int(number), {TRAFFIC})
    assert 7 not in instance
    assert (1 in instance) == (camera != "front")
    holder = DrivingCamera(camera, GROUND, 8, 14, CameraOptions(image_size=(96, 128)))
    for i, target in enumerate(holder.boxes(pictures["instance"], pictures["semantic"])):
        assert target["ids"].tolist() == sorted(set(np.unique(instance[i])) - {0})
        for (x0, y0, x1, y1), label, number in zip(target["boxes"], target["labels"], target["ids"], strict=True):
            rows, columns = np.nonzero(instance[i] == number)
            assert [x0, y0, x1, y1] == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert (semantic[i][rows, columns] == label).all()


def test_from_above_a_car_covers_its_rectangle() -> None:
    world = traffic(4, 10, seed=7, heading_spread=1.0)
    scale, height, width = 0.1, 400, 300
    instance = draw("birdseye", world, image_size=(height, width), metres_per_pixel=scale)["instance"][..., 0]
    rows, columns = np.mgrid[:height, :width]
    for i in range(4):
        heading = world.vehicles.heading[i, 0]
        ahead, aside = (0.7 * height - rows - 0.5) * scale, (columns + 0.5 - width / 2) * scale
        x = world.vehicles.x[i, 0] + ahead * np.cos(heading) - aside * np.sin(heading)
        y = world.vehicles.y[i, 0] + ahead * np.sin(heading) + aside * np.cos(heading)
        want = np.zeros((height, width), np.int64)
        for v in range(9, -1, -1):
            cos, sin = np.cos(world.vehicles.heading[i, v]), np.sin(world.vehicles.heading[i, v])
            dx, dy = x - world.vehicles.x[i, v], y - world.vehicles.y[i, v]
            want[(abs(dx * cos + dy * sin) <= 2.5) & (abs(dy * cos - dx * sin) <= 1)] = v + 1
        assert (want != instance[i]).mean() < 1e-4
        assert (want == 1).sum() == pytest.approx(10 / scale**2, rel=0.01)


# --- colours ----------------------------------------------------------------------------------------------------


def grey(rgb: Any) -> NDArray[np.float64]:
    """Rec. 601 luma, 0 to 255."""
    return np.asarray(rgb, np.float64) @ [0.299, 0.587, 0.114]


def medians(camera: str, size: tuple[int, int], **looks: str) -> dict[str, float]:
    """Median grey of what is labelled, in traffic; of the front camera, within 50 m of it."""
    pictures = draw(camera, traffic(24, 12, seed=2), image_size=size, **looks)
    luma, semantic = grey(pictures["rgb"]), pictures["semantic"][..., 0]
    seen = pictures["depth"][..., 0] < 50 if camera == "front" else np.ones_like(semantic, np.bool_)
    names = {"road": ROAD, "traffic": TRAFFIC, "marking": MARKING}
    if camera != "front":  # ego is not seen from its own seat, and cars' shaded backs are as grey as grass
        names |= {"grass": GRASS, "ego": EGO}
    return {name: float(np.median(luma[seen & (semantic == kind)])) for name, kind in names.items()}


def closest(found: dict[str, float]) -> float:
    """The least distance between two kinds."""
    return float(np.diff(sorted(found.values())).min())


@pytest.mark.parametrize("textures", ["fixed", "train", "test"])
@pytest.mark.parametrize(
    ("camera", "size"),
    [
        ("birdseye", (64, 64)), ("birdseye", (128, 128)), ("birdseye", (300, 300)), ("topdown", (300, 600)),
        ("front", (64, 64)), ("front", (240, 320)),
    ],
)  # fmt: skip
def test_ego_traffic_road_and_markings_are_apart_in_grey(camera: str, size: tuple[int, int], textures: str) -> None:
    """By day, 25 of 255 from one kind to the next; in other light, 6 % of the brightest's grey."""
    found = medians(camera, size, textures=textures)
    assert closest(found) > 25, found
    for looks in ({"lighting": "dusk"}, {"lighting": "night"}, {"weather": "fog"}):
        found = medians(camera, size, textures=textures, **looks)
        assert closest(found) > 0.06 * max(found.values()), (looks, found)


def test_the_palette_keeps_a_distance_in_grey() -> None:
    levels = [grey(color) for color in (decor.ROAD, decor.GRASS, decor.TRAFFIC, decor.EGO, decor.MARKING)]
    gaps = [np.min(high) - np.max(low) for low, high in pairwise(levels)]
    assert min(gaps) > 30, gaps


def test_colours_for_training_and_testing_have_no_hue_in_common() -> None:
    hues = {
        part: np.array([decor._hue(number, salt, decor.TEXTURES[part]) for number in range(300) for salt in (1, 101)])
        for part in ("train", "test")
    }
    arcs = {part: set((hue * 4).astype(int)) for part, hue in hues.items()}
    assert len(arcs["train"]) == 16
    assert len(arcs["test"]) == 8
    assert not arcs["train"] & arcs["test"]


@pytest.mark.parametrize("camera", CAMERAS)
def test_light_and_weather_change_the_picture_and_not_the_labels(camera: str) -> None:
    world = traffic(4, 10)
    day = draw(camera, world, image_size=(64, 96))
    brightness = {"day": day["rgb"].mean()}
    for options in ({"lighting": "dusk"}, {"lighting": "night"}, {"weather": "fog"}, {"textures": "all"}):
        other = draw(camera, world, image_size=(64, 96), **options)
        assert (other["rgb"] != day["rgb"]).mean() > 0.2
        brightness |= {str(value): other["rgb"].mean() for value in options.values()}
        for label in set(day) - {"rgb"}:
            assert (other[label] == day[label]).all(), (options, label)
    assert brightness["night"] < brightness["dusk"] < brightness["day"]


def test_looks_are_a_function_of_the_level() -> None:
    world = traffic(6, 4)
    for array in (world.vehicles.x, world.vehicles.y, world.vehicles.heading):
        array[...] = array[0]
    options = {"textures": "all", "lighting": "random", "weather": "random"}
    rgb = draw("front", world, levels=[5, 6, 7, 5, 6, 7], **options)["rgb"]
    assert (rgb[:3] == rgb[3:]).all()
    assert (rgb[0] != rgb[1]).any()
    assert (rgb[1] != rgb[2]).any()


def test_a_crash_is_seen() -> None:
    world = traffic(1, 2)
    world.vehicles.x[0], world.vehicles.y[0], world.vehicles.heading[0] = [500, 512], [4, 4], 0
    for camera in CAMERAS:
        whole = draw(camera, world)["rgb"]
        world.vehicles.crashed[0, 1] = True
        broken = draw(camera, world)["rgb"]
        world.vehicles.crashed[0, 1] = False
        assert (whole != broken).any(axis=-1).sum() > (0 if camera == "topdown" else 8), camera


# --- faces --------------------------------------------------------------------------------------------------------


def test_a_row_is_drawn_alone_as_in_a_batch() -> None:
    world = traffic(6, 8)
    for name in CAMERAS:
        whole = draw(name, world, image_size=(32, 48))
        camera = DrivingCamera(name, GROUND, 6, 8, CameraOptions(image_size=(32, 48)))
        alone = {key: np.zeros_like(picture) for key, picture in whole.items()}
        for i in (4, 0, 5, 2, 1, 3):
            camera.draw(i, i + 1, world, np.arange(6), alone)
        assert all((alone[key] == whole[key]).all() for key in whole)


def test_one_sensor_alone_is_the_same_as_among_others() -> None:
    world = traffic(3, 8)
    for name in CAMERAS:
        whole = draw(name, world, image_size=(32, 48))
        for sensor in whole:
            assert (draw(name, world, sensors=(sensor,), image_size=(32, 48))[sensor] == whole[sensor]).all()


def test_asphalt_beside_the_lanes_is_seen_where_the_layout_says() -> None:
    env = gym.make("visnav/parking-v0", camera="topdown")
    env.reset(seed=0)
    simulation = env.unwrapped.simulation  # type: ignore[attr-defined]
    for x0, y0, x1, y1 in simulation.networks[0].paved:
        for x, y in ((x0 + 1, 0.0), (x1 - 1, 0.0), (0.0, y0 + 1.5), (0.0, y1 - 1.5)):
            simulation.world.vehicles.x[0, 0], simulation.world.vehicles.y[0, 0] = x, y
            simulation.world.vehicles.present[...] = False
            camera = DrivingCamera("birdseye", simulation._ground, 1, simulation.task.max_vehicles, CameraOptions())
            pictures = {"semantic": np.zeros((1, 64, 64, 1), np.uint8)}
            camera.draw(0, 1, simulation.world, np.zeros(1, np.int64), pictures)
            assert pictures["semantic"][0, 44, 32, 0] == ROAD, (x, y)


def test_same_looking_tiles_are_stored_once() -> None:
    """Ten kilometres of highway take no more than the first hundred metres and the last."""
    short, long = (make_ground(make_roads([highway(4, length)])) for length in (400, 10_000))
    size = short.lanes.nbytes + short.bytes.nbytes
    assert long.lanes.nbytes + long.bytes.nbytes == size < 8e6
    assert long.columns[0] > 20 * short.columns[0]


@pytest.mark.parametrize(
    ("camera", "options", "message"),
    [
        ("birdsey", {}, "birdseye"),
        ("front", {"metres_per_pixel": 0.5}, "metres_per_pixel is not for camera='front'; it belongs to 'birdseye'"),
        ("birdseye", {"pitch": 3.0}, "pitch is not for camera='birdseye'; it belongs to 'front'"),
        ("birdseye", {"metres_per_pixel": 0.0}, "metres_per_pixel is a number of m, 0.01 to 10; got 0.0"),
        ("front", {"field_of_view": 200}, "field_of_view is a number of degrees, 10 to 150; got 200"),
        ("front", {"mount": (1.0, 2.0)}, "mount is (metres ahead, to the right, above the ground)"),
        ("front", {"mount": (0.5, 0.0, -1.0)}, "mount[2] is a number of m above the ground, 0.2 to 50; got -1.0"),
        ("topdown", {"image_size": 64}, "image_size is (height, width) in pixels; got 64"),
        ("front", {"lighting": "noon"}, "unknown lighting 'noon'"),
        ("front", {"weather": "rain"}, "Allowed: clear, fog, random"),
        ("birdseye", {"textures": "none"}, "unknown textures 'none'"),
    ],
)
def test_a_bad_keyword_is_told_what_is_allowed(camera: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        DrivingCamera(camera, GROUND, 1, 1, CameraOptions(**options))


# --- through Gymnasium ----------------------------------------------------------------------------------------------


def test_a_batch_sees_what_one_world_sees() -> None:
    for camera in ("birdseye", "front"):
        one = gym.make("visnav/highway-fast-v0", camera=camera, lighting="random", textures="all", image_size=(32, 48))
        many = gym.make_vec(
            "visnav/highway-fast-v0", num_envs=3, camera=camera, lighting="random", textures="all", image_size=(32, 48)
        )
        batch, _ = many.reset(seed=5)
        for _ in range(3):
            batch, *_ = many.step(np.array([1, 1, 3]))
        picture, _ = one.reset(seed=7)
        for _ in range(3):
            picture, *_ = one.step(3)
        assert picture.shape == (32, 48, 3)
        assert (picture == batch[2]).all()


def test_sensors_labels_and_render_of_an_environment() -> None:
    env = gym.make("visnav/merge-v0", camera="front", sensors=("rgb", "depth"), render_mode="rgb_array")
    observation, _ = env.reset(seed=1)
    assert {name: picture.shape for name, picture in observation.items()} == {"rgb": (64, 64, 3), "depth": (64, 64, 1)}
    labels = env.unwrapped.annotate(("depth", "semantic", "boxes"))  # type: ignore[attr-defined]
    assert (labels["depth"] == observation["depth"]).all()
    assert (labels["boxes"]["labels"] == TRAFFIC).all()
    shown = env.render()
    assert isinstance(shown, np.ndarray)
    assert shown.shape == (300, 600, 3)
    is_ego = (abs(shown.astype(int) - decor.EGO) < 12).all(axis=-1)
    assert is_ego.sum() > 4  # ego is in the picture of the whole scene
    with pytest.raises(ValueError, match="unknown label for camera='front' 'flow'"):
        env.unwrapped.annotate(("flow",))  # type: ignore[attr-defined]


def test_kinematics_has_no_pictures() -> None:
    env = gym.make("visnav/highway-fast-v0", camera="kinematics")
    env.reset(seed=0)
    with pytest.raises(ValueError, match="camera='kinematics' has no labels"):
        env.unwrapped.annotate(("boxes",))  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="image_size is not for camera='kinematics'"):
        gym.make("visnav/highway-fast-v0", camera="kinematics", image_size=(8, 8))
