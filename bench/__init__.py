"""How fast vpcflow is, beside what else could do the same work: run by ``make bench``, see README.md."""
