"""A time module whose clock is wrong."""

import time


class ShiftedTime:
    """The time module with another clock."""

    def __init__(self, shift):
        self.shift = shift

    def time(self):
        return time.time() + self.shift

    def __getattr__(self, name):
        return getattr(time, name)
