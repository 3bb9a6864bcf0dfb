"""The first pages of a journal file and of its segment as numpy types, for tests that damage them."""

import numpy as np

from bog._core.journal import PAGE

HEADER = np.dtype(
    [
        ("magic", "S8"),
        ("version", "<u4"),
        ("market", "<u4"),
        ("account", "<u8"),
        ("run", "<u8"),
        ("price_decimals", "u1"),
        ("size_decimals", "u1"),
        ("mode", "u1"),
        ("pad", "V5"),
        ("run_id", "S32"),
        ("build", "S56"),
        ("config_hash", "V32"),
        ("zero", "V3932"),
        ("crc", "<u4"),
    ]
)
SEGMENT = np.dtype(
    {
        "names": (
            *("magic", "version", "market", "account", "run", "capacity", "header_crc", "pid"),
            *("written", "durable", "failed", "path"),
        ),
        "formats": (
            *("S8", "<u4", "<u4", "<u8", "<u8", "<u8", "<u4", "<u4"),
            *("<u8", "<u8", "<i4", "S3904"),
        ),
        "offsets": (0, 8, 12, 16, 24, 32, 40, 44, 64, 128, 136, 192),
        "itemsize": PAGE,
    }
)
