"""The other side: exchanges, real and on paper, and the markets that move them."""
