"""The venue Lighter: its public stream and its REST interface, as bog-feed needs them."""
