"""What the programs do the same way, each: their settings' first words, log lines, traces, and the memory that they give back."""
