"""``vpcflow rules``: which rules the traffic needs."""
