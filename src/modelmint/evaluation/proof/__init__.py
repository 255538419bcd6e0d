"""What parity is made of: replay through the endpoint, odd inputs, what must be equal, and how far apart the sides are."""
