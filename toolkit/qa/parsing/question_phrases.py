"""What users call things: parts of the patterns by which tasks recognise their questions (``Task.asks``)."""

from toolkit.utils.colors import COLORS


def one_of(words: str) -> str:
    """A pattern for any one of some whole words; "_" in a word stands for a space or a hyphen."""
    return rf"\b(?:{'|'.join(words.split()).replace('_', '[ -]')})\b"


COLOR = one_of(" ".join(COLORS))

TWO_COLORS = rf"^(?=.*(?P<first>{COLOR}).*(?!(?P=first)){COLOR})"
"""At the start of a pattern, this requires that two different colours are named anywhere in the question."""

BOTH = one_of("both two them they these those")
POINTS = one_of("points dots marks markers arrows crosses targets spots objects obstacles")
DOT = one_of("point dot mark marker arrow cross circle pixel target spot")
POINT = rf"(?:{DOT}|{one_of('marked place object obstacle thing it this that')})"
_OURS = r"(?:my|our|this|the ego|ego)[ -](?:own )?"

VIEWER = (
    rf"(?:{one_of('camera cam lens sensor viewer observer photographer robot drone rover me us myself here viewpoint')}"
    rf"|{_OURS}{one_of('car vehicle truck bike phone eye eyes position feet view')}|\bego\b|\bwhere (?:i|we)\b"
    r"|\b(?:viewing|vantage|shooting) (?:point|position)\b)"
)
"""The place from which the picture was taken."""

_NAMED = rf"(?:(?:the|a|an|that|my|our|your|each|either|one|other) )*(?:{VIEWER}|{COLOR}|{POINTS}|{POINT}|each other)"
_TO_VIEWER = rf"(?:(?:the|a|my|our|left|front) )*{VIEWER}"

ELSEWHERE = "|".join(
    (
        rf"\b(?:from|form|fro) (?!{_NAMED}|(?:(?!(?:is|are|to)\b)\w+\W+){{1,4}}{COLOR}"
        rf"|{_TO_VIEWER}|(?:the )?\w+ plane)\w",
        rf"{COLOR}(?: {POINT})? to (?!{_TO_VIEWER})\w",
        rf"\bhow (?:far|close|near) (?:is|are) (?!it\b)[^,]*(?<!next )(?<!close )\bto (?!{_TO_VIEWER})\w",
    )
)
"""A question asks how far a point is from something that is not the camera."""

_COMPARATIVE = one_of("closer closest nearer nearest farther farthest further furthest")

NEAR_ELSEWHERE = (
    rf"{_COMPARATIVE} (?:to|from) (?!{_TO_VIEWER}|you\b)\w"
    rf"|{_COMPARATIVE} (?:the|a|an|my|that) (?!(?:\w+ )?(?:{VIEWER}|{COLOR}|{POINTS}|{POINT}|\b(?:one|other)\b))\w"
)
"""A question compares distances from something that is not the camera."""

LENGTH = one_of(
    "meter meters metre metres cm centimeter centimeters centimetre centimetres mm millimeter millimeters millimetre "
    "millimetres km kilometer kilometers kilometre kilometres ft foot feet inch inches yd yard yards mile miles m"
)

TIME = one_of("s sec secs second seconds min mins minute minutes h hr hrs hour hours")
SPEED = rf"(?:\b(?:mph|kph|kmh|kmph|km/h|m/s|ft/s)\b|{LENGTH} (?:per|an|a|/) ?{TIME})"
_NUMBER = r"(?:\d[\d.,]*|\b(?:half an?|an?|one|two|three|four|five|six|seven|eight|nine|ten|twenty|thirty)\b)"

AT_SPEED = rf"{_NUMBER} ?-?{SPEED}"
"""A speed that a question states."""

IN_TIME = rf"\b(?:in|within|after|have|got|takes?|only) {_NUMBER} ?{TIME}"
"""A time that a question states."""

_IT = rf"(?:{one_of('marked object obstacle thing place')}|\b(?:it|this|that)\b(?! \w))"
_ANSWERED = "far close near distant remote deep long fast quick quickly soon much many come"

OTHER_MEASURE = "|".join(
    (
        r"\bhow (?:much |many \w+ )?(?:high|tall|wide|thick|big|large|small|heavy|old|hot|bright)\b"
        r"(?! is (?:the|this) (?:gap|space|spacing|distance))",
        rf"\bhow deep\b(?! (?:along|in)\b| is (?:the )?(?:\w+ )?{DOT})",
        rf"\bhow (?!(?:{'|'.join(_ANSWERED.split())})\b)\w+ (?:is|are|was|were)\b(?! (?:the|this) gap)",
        rf"\b(?:depth|range) of (?!(?:\w+ ){{0,3}}(?:{COLOR}|{DOT}|{VIEWER}|{_IT}))\w",
        r"\bfar (?:up|down|over) (?!(?:the|this|my) (?:road|street|lane|corridor|hall|hallway|path|aisle|track)\b)",
        rf"\b(?:far|distance|{LENGTH}) (?:above|below|beneath|under)\b",
        r"\bdepth of field\b|\b(?:area|volume|age|colou?r) of\b",
        r"\bwhat colou?r\b|\bto the (?:left|right)\b|\bin pixels?\b",
        one_of(
            "height higher highest taller tallest width wider widest thickness thicker size bigger biggest larger "
            "largest smallest weigh weight heavier older angle temperature brighter difference pixels percent "
            "horizontal horizontally vertical vertically lateral laterally sideways shutter focal"
        ),
    )
)
"""A question asks for a measure that no built-in task answers."""

PICTURES = one_of("images pictures photos photographs frames views shots snapshots")
