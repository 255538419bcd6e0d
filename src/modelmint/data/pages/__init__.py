"""The page of each station: its report, to be looked at."""
