"""Where the figures of README and docs come from; every timing is a ratio against a peer measured in the same run."""
