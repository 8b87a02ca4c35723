"""Settings of a policy tuned on some seeds and judged on others."""
