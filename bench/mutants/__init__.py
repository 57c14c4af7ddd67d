"""How much the tests notice: changes lines of the code one by one, and runs the tests that execute them."""
