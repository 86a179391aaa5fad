from envs.velocity import *
