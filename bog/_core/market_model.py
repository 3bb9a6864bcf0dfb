"""The numbers of the built-in market's model, and their scaling to any market; integers only.

Fitted to recordings of the Lighter BTC perpetual. Distances scale with the price, sizes so that the
notional stays the same.
"""

from math import isqrt

BTC_PX = 1210440  # price of the fit in ticks of 0.1 USD; sizes here in lots of 0.00001 BTC
LOG2_E_Q16 = 94548  # log2(e)

# sigma calm and active (ticks per sqrt s), jumps (1e-6 per s) and their size (ticks), takers mu
# and kinf and the hazard of stale quotes (1e-6 per s)
PRESETS = {
    "quiet": (14, 55, 50_000, 60, 1_600_000, 600_000, 25_000_000),
    "active": (30, 90, 300_000, 100, 2_000_000, 800_000, 15_000_000),
    "toxic": (45, 140, 300_000, 120, 2_500_000, 2_000_000, 12_000_000),
}

# per band: last distance (ticks), adds and cancel hazard (1e-6 per s), median size (lots), sigma of
# its logarithm (thousandths), orders a side at the start
BANDS = (
    (0, 5_500_000, 3_000_000, 2_000, 1900, 0),
    (5, 1_900_000, 2_100_000, 3_000, 1900, 1),
    (15, 3_000_000, 2_000_000, 6_000, 1700, 2),
    (40, 8_300_000, 1_500_000, 10_000, 1500, 7),
    (100, 16_000_000, 940_000, 20_000, 1400, 22),
    (250, 13_800_000, 800_000, 55_000, 1300, 64),
    (700, 8_400_000, 140_000, 2_000, 2200, 223),
    (2000, 6_200_000, 10_000, 1_000, 2200, 636),
    (20000, 3_400_000, 10_000, 1_000, 2000, 300),
)
QUEUE_BTC = (2, 3, 5, 8)  # touch sizes between the columns of the queue reaction
LOTS_PER_BTC = 100_000


def log2_q16(a: int, b: int) -> int:
    """Return the binary logarithm of a / b >= 1 in Q16, rounded down, without floating point."""
    whole = (a // b).bit_length() - 1
    part = (a << (64 - whole)) // b
    for _ in range(16):
        part = part * part >> 64
        whole <<= 1
        if part >> 65:
            part >>= 1
            whole += 1
    return whole


def scaled(preset: str, start_px: int, decimals: int, feed: tuple[int, int]) -> dict[str, object]:
    """Return the fields of bog_sim_params_t for a market that starts at `start_px` ticks.

    `decimals` are those of price and size together; `feed` is the median (ns) and the sigma of the
    logarithm (ppm) of the feed latency.
    """

    def ticks(value: int) -> int:
        """BTC ticks in 1/1024 tick of this market."""
        return value * 1024 * start_px // BTC_PX

    def lots(value: int) -> int:
        """BTC lots in lots of this market, at least 1."""
        return max(value * BTC_PX * int(10**decimals) // (start_px * 10**6), 1)

    calm, active, jump_rate, jump_size, mu, kinf, hstale = PRESETS[preset]
    ends = [far for far, *_ in BANDS]
    starts = [0] + [far + 1 for far in ends[:-1]]
    window = 1 << max((start_px // 4).bit_length(), 16)
    return {
        "sigma": [isqrt(ticks(sigma) ** 2 // 1000) for sigma in (calm, active)],
        "jump_rate": jump_rate,
        "jump_size": ticks(jump_size),
        "mu": mu,
        "kinf": kinf,
        "hstale": hstale,
        "drift": ticks(15) * 65536 // 1000,
        "kt": 8 * 65536 // 10,
        "impact": ticks(2),
        "half": max(ticks(4), 512),
        "unit": max(ticks(1), 1),
        "to_active": 2**32 // 40_000,
        "to_calm": 2**32 // 12_000,
        "add_rate": [adds for _, adds, *_ in BANDS],
        "cancel_rate": [hazard for _, _, hazard, *_ in BANDS],
        "size_median": [lots(median * 65536) for *_, median, _, _ in BANDS],
        "size_sigma": [sigma * LOG2_E_Q16 // 1000 for *_, sigma, _ in BANDS],
        "first": [first for *_, first in BANDS],
        "band_end": [max(ticks(far) // 1024, band) for band, far in enumerate(ends)],
        "band_from": [max(ticks(near), 1) for near in starts],
        "band_log": [
            log2_q16(far, near) if near else 0 for near, far in zip(starts, ends, strict=True)
        ],
        "taker_median": lots(480 * 65536),
        "taker_sigma": 1900 * LOG2_E_Q16 // 1000,
        "size_cap": lots(6 * LOTS_PER_BTC),
        "impact_qty": lots(LOTS_PER_BTC // 20),
        "queue_at": [lots(btc * LOTS_PER_BTC) for btc in QUEUE_BTC],
        "gap_sigma": 1150 * LOG2_E_Q16 // 1000,
        "gap_median": 7_000_000,
        "gap_cap": 60_000_000,
        "feed_median": feed[0],
        "feed_sigma": feed[1] * LOG2_E_Q16 // 1_000_000,
        "price_band": window >> 2,
        "window": window,
    }
