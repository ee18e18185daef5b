"""The names of units of length in other languages than English, as models write them in answers."""

import re

_NAMES = {
    "km": "kilómetros quilômetros kilomètres kilometern chilometri километров километра километр км 公里 千米 "
    "キロメートル 킬로미터",
    "cm": "centímetros centimètres zentimeter zentimetern centimetri сантиметров сантиметра сантиметр см 厘米 公分 "
    "センチメートル センチ 센티미터",
    "mm": "milímetros millimètres millimetern millimetri миллиметров миллиметра миллиметр мм 毫米 ミリメートル "
    "밀리미터",
    "m": "metros metro mètres mètre metern metri metrów метров метра метр м 米 公尺 メートル 미터 मीटर متر",
    "ft": "pies pieds fuß piedi pés футов фута 英尺 フィート 피트",
}

_SHORT = {name: unit for unit, names in _NAMES.items() for name in names.split()}

_AFTER_NUMBER = re.compile(
    rf"(?<=\d) ?(?P<name>{'|'.join(sorted(map(re.escape, _SHORT), key=len, reverse=True))})(?![a-zà-ÿа-я²³^/])"
)

_RUN_ON = re.compile(r"(?<=[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af])(?=\d)")  # scripts without spaces


def with_english_units(text: str) -> str:
    """A text in lower case, with the units of length that follow a number in English: "2,4 metros" is "2,4 m"."""
    return _AFTER_NUMBER.sub(lambda match: f" {_SHORT[match['name']]} ", _RUN_ON.sub(" ", text))
