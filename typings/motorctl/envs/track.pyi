from envs.track import *
