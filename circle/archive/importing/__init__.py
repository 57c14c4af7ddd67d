"""Reading what people leave behind: folders and ZIPs of Markdown, one file at a time, trusting none of them."""
