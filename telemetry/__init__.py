"""What API and workers do in the same way: log lines, traces, what they say of their settings, the memory that they give back."""
