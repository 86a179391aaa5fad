from envs.simulation import *
