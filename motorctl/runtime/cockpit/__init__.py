"""The cockpit: shows a run, in the browser or in the terminal, and steers it; a client of its streams and no more."""
