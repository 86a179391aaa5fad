"""Close the loop from brain signals to a moving limb."""

from importlib.metadata import version

__version__ = version("motorctl")
