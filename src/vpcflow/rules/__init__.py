"""Which rules the traffic needs: who opened each connection, which rules admitted it, and what follows from that."""
