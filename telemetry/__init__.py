"""What the programs tell about themselves, the same way in each: log lines and traces."""
