"""Colours of classes."""

from itertools import cycle, islice

import seaborn as sns

# Ten colours that people with any colour vision tell apart (Okabe and Ito's, as seaborn has them).
SAFE = 10
# Beyond ten no palette is safe by hue alone: neighbours differ in lightness as well.
LIGHTNESS = (0.45, 0.7, 0.57, 0.83)


def class_colors(classes: int) -> list[str]:
    """Return one colour a class as ``#rrggbb``, the same for the same number of classes.

    Up to ten classes get seaborn's ``colorblind`` palette. More get hues of even distance in the
    HUSL space whose lightness goes through four levels, so that neighbouring hues differ without
    colour vision too.

    Examples
    --------
    >>> class_colors(3)
    ['#0173b2', '#de8f05', '#029e73']
    """
    if classes <= SAFE:
        return [str(color) for color in sns.color_palette("colorblind", classes).as_hex()]
    palettes = [sns.husl_palette(classes, l=level).as_hex() for level in LIGHTNESS]
    levels = islice(cycle(palettes), classes)
    return [str(palette[index]) for index, palette in enumerate(levels)]
