"""The cheapest honest way of every task, learned from the training rows beside each model: what it must earn its keep by.

`choices` says which ways a task has, `beside` runs one and measures it as the model is measured. The others hold the ways,
one file a kind of rows. All are seeded and bounded in rows and memory; none looks at the truth of the test rows.
"""
