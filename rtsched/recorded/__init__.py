"""Recorded requests and recorded latencies: replays of traces, as other simulators write them."""
