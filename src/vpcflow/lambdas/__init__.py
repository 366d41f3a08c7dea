"""The functions in AWS: doors of a few lines into the core. Each module has a ``handler``."""
