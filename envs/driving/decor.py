"""What a driving level looks like: colours, light and weather, from keywords and the level's number alone.

Colours are chosen by their grey value (Rec. 601 luma) so that road, grass, traffic, ego and markings stay apart in
grey: about 54, 98, 140, 196 and 243 of 255.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from visnav.envs.batch import jit
from visnav.envs.driving.world import LANDMARK, OBSTACLE
from visnav.envs.rng import level_hash, level_uniform

F = np.float32
ZERO, HALF, ONE = F(0), F(0.5), F(1)

Color = tuple[np.float32, np.float32, np.float32]  # 0 to 255

TEXTURES = {"fixed": 0, "train": 1, "test": 2, "all": 3}
LIGHTING = {"day": 0, "dusk": 1, "night": 2, "random": 3}
WEATHER = {"clear": 0, "fog": 1, "random": 2}
DAY, DUSK, NIGHT, RANDOM_LIGHT = range(4)
CLEAR, FOG, RANDOM_WEATHER = range(3)

ROAD, GRASS, KERB, MARKING = (52, 54, 60), (84, 112, 62), (122, 120, 114), (244, 244, 238)
EGO = (255, 198, 30)
# where colours are drawn: least and most saturation, least and most grey of road, grass, kerb and marking
DRAWN = ((0.0, 0.1, 38.0, 66.0), (0.05, 0.4, 90.0, 108.0), (0.0, 0.3, 112.0, 150.0), (0.0, 0.1, 236.0, 248.0))
# apart in hue, alike in grey
TRAFFIC = (
    (70, 150, 235), (235, 105, 90), (40, 175, 165), (170, 120, 225), (130, 145, 160), (225, 110, 160), (205, 125, 85),
    (90, 155, 190),
)  # fmt: skip
CRASHED = (205, 30, 34)
GOAL, REACHED = (60, 205, 235), (90, 235, 120)
BARRIER = (240, 140, 40)
GLASS, HEADLIGHT, TAILLIGHT, TYRE = (30, 38, 48), (255, 250, 225), (225, 20, 24), (22, 22, 24)

# (red, green, blue) factor, sky at the zenith, sky at the horizon: day, dusk, night
LIGHT = ((1.0, 1.0, 1.0), (0.84, 0.68, 0.62), (0.4, 0.43, 0.54))
ZENITH = ((74, 134, 214), (52, 60, 112), (6, 8, 22))
HORIZON = ((196, 220, 240), (246, 164, 104), (26, 32, 56))
LAMPS = (0.0, 0.2, 1.0)  # how brightly head- and taillights shine
FOG_COLOR = (198, 202, 206)
HAZE = 1 / 900  # per m, in clear weather: light that is lost on the way to the eye
FOG_HAZE = 1 / 45  # per m

_GOLDEN = 0.61803399  # of a turn: hues of consecutive numbers are far apart
_TEST_EVERY = 3  # of the hues of ground and traffic, a third is for testing


class Decor(NamedTuple):
    """The looks of one level."""

    road: Color
    grass: Color
    kerb: Color
    marking: Color
    ego: Color
    spread: np.float32  # 0 where traffic has the colours TRAFFIC, else they are drawn from `number`
    number: np.uint64  # what traffic's colours are drawn from
    part: int  # TEXTURES
    grain: np.float32  # how strongly grass is mottled, of 255
    light: Color  # factors
    zenith: Color
    horizon: Color  # also that of haze
    haze: np.float32  # per m
    lamps: np.float32  # how brightly head- and taillights shine, 0 by day to 1 at night


@jit
def _hue(number, salt, part):  # type: ignore[no-untyped-def]
    """A hue, 0 to 6: the circle is cut in 24 arcs, of which every third is for testing."""
    arc = np.int64(level_hash(number, salt) >> np.uint64(33)) % 24
    if part == 2:
        arc = arc // 3 * _TEST_EVERY + 2
    elif part == 1:
        arc = arc // 3 * _TEST_EVERY + arc % 2
    return (F(arc) + level_uniform(number, salt + 500, 0.05, 0.95)) * F(0.25)


@jit
def _toned(hue, saturation, luma):  # type: ignore[no-untyped-def]
    """A colour of this hue whose grey value is `luma`, as saturated as that allows."""
    red = min(max(abs(hue - F(3)) - ONE, ZERO), ONE)
    green = min(max(F(2) - abs(hue - F(2)), ZERO), ONE)
    blue = min(max(F(2) - abs(hue - F(4)), ZERO), ONE)
    grey = F(0.299) * red + F(0.587) * green + F(0.114) * blue
    share = saturation
    # luma + share * 255 * (channel - grey) stays within 0 and 255
    top, bottom = max(red, max(green, blue)) - grey, grey - min(red, min(green, blue))
    if top > ZERO:
        share = min(share, (F(255) - luma) / (F(255) * top))
    if bottom > ZERO:
        share = min(share, luma / (F(255) * bottom))
    share *= F(255)
    return (luma + share * (red - grey), luma + share * (green - grey), luma + share * (blue - grey))


@jit
def _floats(color):  # type: ignore[no-untyped-def]
    return (F(color[0]), F(color[1]), F(color[2]))


@jit
def scaled(color, light):  # type: ignore[no-untyped-def]
    """A colour in a light."""
    return (color[0] * light[0], color[1] * light[1], color[2] * light[2])


@jit
def mixed(one, other, share):  # type: ignore[no-untyped-def]
    """Between two colours: `share` of the other."""
    return (
        one[0] + (other[0] - one[0]) * share,
        one[1] + (other[1] - one[1]) * share,
        one[2] + (other[2] - one[2]) * share,
    )


@jit
def decorate(number, textures, lighting, weather):  # type: ignore[no-untyped-def]
    """The looks of level `number`; TEXTURES, LIGHTING and WEATHER by number."""
    road, grass, kerb, marking, ego = _floats(ROAD), _floats(GRASS), _floats(KERB), _floats(MARKING), _floats(EGO)
    spread, grain = ZERO, F(34)
    if textures:
        for surface in range(4):
            pale, strong, dark, bright = DRAWN[surface]
            tone = _toned(
                _hue(number, 1 + surface, textures),
                level_uniform(number, 10 + surface, pale, strong),
                level_uniform(number, 30 + surface, dark, bright),
            )
            if surface == 0:
                road = tone
            elif surface == 1:
                grass = tone
            elif surface == 2:
                kerb = tone
            else:
                marking = tone
        spread, grain = ONE, level_uniform(number, 40, 10.0, 70.0)
    hour = lighting
    if lighting == RANDOM_LIGHT:
        hour = np.int64(level_hash(number, 20) >> np.uint64(33)) % 3
    light, zenith, horizon = _floats(LIGHT[hour]), _floats(ZENITH[hour]), _floats(HORIZON[hour])
    if lighting == RANDOM_LIGHT:
        power, warmth = level_uniform(number, 21, 0.8, 1.12), level_uniform(number, 22, -0.08, 0.08)
        light = scaled(light, (power * (ONE + warmth), power, power * (ONE - warmth)))
    lamps = F(LAMPS[hour])
    haze = F(HAZE)
    if weather == FOG or (weather == RANDOM_WEATHER and level_hash(number, 23) >> np.uint64(63)):
        haze = F(FOG_HAZE)
        if weather == RANDOM_WEATHER:
            haze *= level_uniform(number, 24, 0.4, 1.3)
        fog = scaled(_floats(FOG_COLOR), light)
        zenith, horizon = mixed(zenith, fog, F(0.85)), fog
    return Decor(
        road, grass, kerb, marking, ego, spread, np.uint64(number), np.int64(textures), grain, light, zenith, horizon,
        haze, lamps,
    )  # fmt: skip


@jit
def vehicle_color(decor, v, behaviour, crashed, hit):  # type: ignore[no-untyped-def]
    """The paint of what is in place v of a world's row, in full light."""
    if behaviour == LANDMARK:
        return _floats(REACHED) if hit else _floats(GOAL)
    if behaviour == OBSTACLE:
        return _floats(BARRIER)
    color = decor.ego
    if v > 0 and decor.spread == ZERO:
        color = _floats(TRAFFIC[(v * 5 + v // 8) % 8])
    elif v > 0:
        color = _toned(
            _hue(decor.number, 100 + v, decor.part),
            level_uniform(decor.number, 1100 + v, 0.1, 0.8),
            level_uniform(decor.number, 2100 + v, 132.0, 152.0),
        )
    return mixed(color, _floats(CRASHED), F(0.65)) if crashed else color
