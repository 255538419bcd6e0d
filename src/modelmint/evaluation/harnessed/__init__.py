"""The parts of `harness`: tasks of lm-evaluation-harness read without running what they bring, their rows, the model that
is asked, and figures with intervals."""
