"""Small real images and recordings that a network can learn to tell apart, and tables with a rule in them."""

import io
import random
from typing import Any

import numpy as np

Rows = list[dict[str, Any]]


def pictures(num_rows: int, *, seed: int = 0, side: int = 12, colour: bool = False) -> Rows:
    """PNG of stripes that lie or stand, in noise."""
    from PIL import Image

    random_numbers, rows = np.random.default_rng(seed), []
    for at in range(num_rows):
        pixels = random_numbers.integers(0, 60, (side, side, 3) if colour else (side, side)).astype(np.uint8)
        place = int(random_numbers.integers(2, side - 4))
        label = ("lying", "standing")[at % 2]
        if label == "lying":
            pixels[place : place + 2, :] = [200, 40, 40] if colour else 200
        else:
            pixels[:, place : place + 2] = [40, 40, 200] if colour else 200
        written = io.BytesIO()
        Image.fromarray(pixels).save(written, "PNG")
        rows.append({"image": written.getvalue(), "label": label})
    return rows


def recordings(num_rows: int, *, seed: int = 0, rate: int = 4_000) -> Rows:
    """WAV of a low or a high tone of a quarter of a second, in noise."""
    import soundfile

    random_numbers, rows = np.random.default_rng(seed), []
    for at in range(num_rows):
        label = ("low", "high")[at % 2]
        times = np.arange(rate // 4) / rate
        pitch = random_numbers.uniform(200, 300) if label == "low" else random_numbers.uniform(900, 1_300)
        samples = 0.3 * np.sin(2 * np.pi * pitch * times) + random_numbers.normal(0, 0.02, len(times))
        written = io.BytesIO()
        soundfile.write(written, samples, rate, format="WAV", subtype="PCM_16")
        rows.append({"audio": written.getvalue(), "label": label})
    return rows


def customers(num_rows: int, *, seed: int = 0, number: bool = False) -> Rows:
    """Who leaves: those on monthly contracts with high fees; some fees are not known."""
    dice, rows = random.Random(seed), []
    for at in range(num_rows):
        contract, fee = dice.choice(["monthly", "yearly", "none"]), dice.uniform(10, 100)
        leaves = contract == "monthly" and fee > 40
        rows.append(
            {
                "customer": f"c-{seed}-{at}",
                "contract": None if dice.random() < 0.02 else contract,
                "fee": None if dice.random() < 0.05 else round(fee, 2),
                "region": dice.choice(["north", "south"]),
                "label": (2 * fee + 50 * leaves) if number else ("leaves" if leaves else "stays"),
            }
        )
    return rows
