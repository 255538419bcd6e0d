"""Who may call, what they used, and what that costs: keys, the usage journal, metering, statements, the paid answer.

It sees models by their endpoint's name and requests as counts; it knows nothing of HTTP.
"""
