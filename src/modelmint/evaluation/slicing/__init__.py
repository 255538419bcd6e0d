"""Rows looked at apart: by column, length, language, label, cluster and protected group."""
