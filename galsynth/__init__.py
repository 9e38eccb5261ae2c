"""The public face of galsynth: the command line, and what starts the programs. Imports none of them."""
