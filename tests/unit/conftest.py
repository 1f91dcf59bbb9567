"""Settings of the property tests."""

from hypothesis import settings

# A slow machine is no fault of the code: how long an example takes is no assertion here.
settings.register_profile("labeltask", deadline=None)
settings.load_profile("labeltask")
