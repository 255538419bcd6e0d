"""Parts of the search for the best values of the knobs: what is searched, what is proposed, trials, the budget, the page."""
