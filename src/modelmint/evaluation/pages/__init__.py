"""The page of an evaluation, section by section."""
