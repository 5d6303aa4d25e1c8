"""kminer reads every Linux and Docker change about container isolation and says where the research is."""

__version__ = "0.1.0"
