"""From a file, folder, archive, database or URL to rows of one form: formats, dialects, and the bounds of what comes from outside."""
