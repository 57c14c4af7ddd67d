"""Making what people take along: ZIPs and books, written as a stream, so that memory does not grow with them."""
