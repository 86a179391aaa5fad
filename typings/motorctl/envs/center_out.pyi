from envs.center_out import *
