"""For every layer of tests."""

import hypothesis

# A deadline for each example measures how busy the machine is; what has to be fast is measured in tests/benchmarks.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")
