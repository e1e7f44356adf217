"""The generators of the tables that the door plans with. Run by hand (`make tables`) and by the tests."""
