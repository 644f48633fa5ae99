"""What the idea needs besides: it is used all over the library, and read last."""
